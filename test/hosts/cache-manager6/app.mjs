import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { createCache } from 'cache-manager'
import { diskStore, singleFlight } from 'fanout-cache/cache-manager'
import { Keyv } from 'keyv'
import { createCacheScenarios } from './shared/create-cache.mjs'
import { run } from './shared/run.mjs'

const { root } = JSON.parse(process.argv[2])
const directory = () => mkdtempSync(join(root, 'cache-'))

await run(createCacheScenarios({ createCache, Keyv, miss: null, diskStore, singleFlight, directory }))
