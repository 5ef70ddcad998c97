// @ts-check
// A report that takes a while, wanted by three processes at once: computed once, kept over a restart.
// Run it: node examples/cache-manager/main.mjs

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCache } from 'cache-manager'
import { diskStore, singleFlight } from 'fanout-cache/cache-manager'
import { Keyv } from 'keyv'

const directory = process.argv[2]
if (directory) await work(directory)
else await lead()

/** The cache of this app. Before: createCache({ stores: [new Keyv({ store: new KeyvRedis(url) })] }). @param {string} directory */
function open(directory) {
  const stores = [new Keyv({ ttl: 5000 }), diskStore.keyv({ directory, namespace: 'reports', sizeLimit: 2 ** 28 })]
  return singleFlight(createCache({ stores, ttl: 60_000 }))
}

/** @param {string} directory */
async function work(directory) {
  const cache = open(directory)
  const report = await cache.wrap('sales', async () => {
    process.send?.('computing')
    await sleep(200)
    return { rows: 1815, by: process.pid }
  })
  process.send?.(report)
  await cache.disconnect()
  process.disconnect()
}

async function lead() {
  const directory = await mkdtemp(join(tmpdir(), 'fanout-cache-manager-'))
  let computations = 0
  const makers = new Set()
  const start = () => {
    const worker = fork(new URL(import.meta.url), [directory])
    worker.on('message', message => {
      if (message === 'computing') computations++
      else makers.add(/** @type {{ by: number }} */ (message).by)
    })
    return once(worker, 'exit')
  }
  await Promise.all([start(), start(), start()])
  console.log(`3 processes, ${computations} computation, ${makers.size} answer`) // 3 processes, 1 computation, 1 answer

  await start()
  console.log(`after a restart: ${computations} computation`) // after a restart: 1 computation

  const cache = open(directory)
  console.log('left to live:', Math.round((Number(await cache.ttl('sales')) - Date.now()) / 60_000), 'min') // left to live: 1 min
  await cache.del('sales')
  console.log('removed:', await cache.get('sales')) // removed: undefined
  await cache.disconnect()
  await rm(directory, { recursive: true })
}
