import { Cache, defineModel, type ModelCache } from 'fanout-cache'
import { expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { BusyClock } from '../../helpers/busy-clock.js'
import { rawDatabase } from '../../helpers/raw-database.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

async function start(): Promise<{
  model: ModelCache<string, string>
  clock: BusyClock
  change: (sql: string, looks: number) => void
}> {
  const directory = temporaryDirectory()
  const clock = new BusyClock()
  const cache = new Cache(directory, { clock })
  onTestFinished(() => cache.close())
  const model = cache.model(defineModel({ name: 'M', version: 1, schema: z.string() }))
  await model.put('a', 'old a')
  await model.put('b', 'old b')
  const other = rawDatabase(directory)
  const change = (sql: string, looks: number): void => clock.at(looks, () => other.exec(sql))
  return { model, clock, change }
}

it.each([1, 2])('getMany of a model shows all that others change at once, or nothing of it (%i)', async looks => {
  const { model, clock, change } = await start()
  change("UPDATE Cache SET value = replace(value, 'old', 'new')", looks)
  const meanwhile = Object.fromEntries(await model.getMany(['a', 'b']))
  clock.rest()
  const after = { a: 'new a', b: 'new b' }
  expect([{ a: 'old a', b: 'old b' }, after]).toContainEqual(meanwhile)
  expect(Object.fromEntries(await model.getMany(['a', 'b']))).toEqual(after)
})

it('getMany of a model takes no entry for another one that has got its rowid meanwhile', async () => {
  const { model, change } = await start()
  change("UPDATE Cache SET key = 'model=M:c', value = replace(value, 'old b', 'c') WHERE key = 'model=M:b'", 1)
  expect(Object.fromEntries(await model.getMany(['b']))).toEqual({ b: 'old b' })
  expect(Object.fromEntries(await model.getMany(['b', 'c']))).toEqual({ c: 'c' })
})
