import { strictEqual } from 'node:assert/strict'
import { Cache, FanoutCache } from 'fanout-cache'

const cache = new Cache(process.argv[2])
await cache.set('answer', 42)
strictEqual(await cache.get('answer'), 42)
await cache.close()
strictEqual(typeof FanoutCache, 'function')
console.log('ok')
