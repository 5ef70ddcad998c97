// A service is replaced by its next version while its cache stays: values of the old model are migrated one by one, as
// they are read, and what cannot be migrated is computed again.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cache, defineModel, keyOf } from 'fanout-cache'
import { z } from 'zod'

const directory = mkdtempSync(join(tmpdir(), 'typed-'))

const Weather1 = defineModel({
  name: 'Weather',
  version: 1,
  schema: z.object({ city: z.string(), fahrenheit: z.number().nullable() }),
  ttl: '1h',
})

const Weather2 = defineModel({
  name: 'Weather',
  version: 2,
  schema: z.object({ city: z.string(), celsius: z.number(), at: z.iso.datetime().transform(text => new Date(text)) }),
  migrate: ({ city, fahrenheit }) =>
    fahrenheit === null
      ? undefined
      : { city, celsius: Math.round((fahrenheit - 32) / 1.8), at: '2026-01-01T00:00:00Z' },
  ttl: '1h',
})

const cache = new Cache(directory)
const staging = cache.namespace('staging')
const keyFor = city => keyOf('weather', { city, units: 'metric' })

const before = staging.model(Weather1)
await before.putMany([
  [keyFor('Oslo'), { city: 'Oslo', fahrenheit: 14 }],
  [keyFor('Rome'), { city: 'Rome', fahrenheit: 59 }],
  [keyFor('Atlantis'), { city: 'Atlantis', fahrenheit: null }],
])
await before.put('typo', { city: 'Bern', fahrenheit: 'cold' }).catch(error => console.log(error.message))

const after = staging.model(Weather2)
after.on('invalid', ({ key, reason }) => console.log('forgotten:', key, reason))
console.log('migrated:', await after.get(keyFor('Oslo')))
const ask = city => after.getOrSet(keyFor(city), () => ({ city, celsius: 20, at: '2026-06-01T00:00:00Z' }))
console.log('computed:', (await ask('Atlantis')).celsius)
console.log('kept:', (await ask('Rome')).celsius)

const { hits, misses, migrated, puts, disk } = await after.stats()
console.log({ hits, misses, migrated, puts, items: disk.items })

await cache.close()
rmSync(directory, { recursive: true })
