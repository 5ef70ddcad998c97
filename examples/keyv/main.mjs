// @ts-check
// A rate of exchange that is asked for over HTTP in an app with two processes, kept by Keyv on disk.
// Run it: node examples/keyv/main.mjs

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv'
import { Keyv } from 'keyv'

const directory = process.argv[2]
if (directory) await second(directory)
else await first()

async function first() {
  const directory = await mkdtemp(join(tmpdir(), 'fanout-cache-keyv-'))

  // Before: new Keyv({ store: new KeyvRedis('redis://localhost:6379') }). This line is all that changes.
  const plain = new Keyv({ store: new KeyvDiskStore(directory), namespace: 'pages' })
  await plain.set('/', '<h1>Hello</h1>', 60_000)

  // Values as they are: no JSON between you and the disk.
  const rates = createKeyv(directory, { namespace: 'rates', ttl: '5m' })
  await rates.set('EUR', new Map([['USD', 1.17]]))
  await rates.setMany([
    { key: 'GBP', value: new Map([['USD', 1.31]]) },
    { key: 'old', value: 'expired', ttl: -1 },
  ])

  const child = fork(new URL(import.meta.url), [directory])
  await once(child, 'exit')

  console.log('back in the first:', await rates.get('USD')) // Map(1) { 'EUR' => 0.85 }
  await rates.clear()
  console.log('cleared:', await rates.has('EUR'), await plain.has('/')) // false true
  await Promise.all([rates.disconnect(), plain.disconnect()])
  await rm(directory, { recursive: true })
}

/** Another process sees the same. @param {string} directory */
async function second(directory) {
  const rates = createKeyv(directory, { namespace: 'rates' })
  console.log('in the second:', await rates.getMany(['EUR', 'GBP', 'old']))
  await rates.set('USD', new Map([['EUR', 0.85]]))
  await rates.disconnect()
}
