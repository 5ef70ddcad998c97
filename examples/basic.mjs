// @ts-check
// The verbs one needs every day. Run it: node examples/basic.mjs

import { setTimeout as sleep } from 'node:timers/promises'
import { FanoutCache } from 'fanout-cache'

// Without a directory the cache is a temporary one; a real one is given the place where it lives, such as
// `new FanoutCache('/var/cache/app', { sizeLimit: 500 * 1024 * 1024 })`, by every process that shares it.
const cache = new FanoutCache()

// Strings, numbers, bytes, and whatever structuredClone can copy.
await cache.set('user:1', { name: 'Ada', born: new Date('1815-12-10') }, { ttl: '5m', tags: ['user', 'team:a'] })
await cache.set('user:2', { name: 'Grace', born: new Date('1906-12-09') }, { ttl: '5m', tags: ['user', 'team:b'] })
console.log(await cache.get('user:1')) // { name: 'Ada', born: 1815-12-10T00:00:00.000Z }
console.log(await cache.get('user:3')) // undefined: there is none

// Keys may be composite.
await cache.set(['report', 2026, { lang: 'en' }], 'thirty pages')
console.log(await cache.get(['report', 2026, { lang: 'en' }])) // thirty pages

// A time to live.
await cache.set('code', 1234, { ttl: '100ms' })
await sleep(150)
console.log(await cache.get('code')) // undefined: expired

// One winner over all processes.
console.log(await cache.add('leader', process.pid), await cache.add('leader', process.pid)) // true false

// A counter that starts by itself and expires.
console.log(await cache.incr('visits', 1, { ttl: '1h' }), await cache.incr('visits', 10)) // 1 11

// Read, change and write as one step, which no other process can come between.
await cache.transact(
  tx => {
    const left = tx.get('stock') ?? 10
    tx.set('stock', Number(left) - 1)
  },
  { keys: ['stock'] },
)
console.log(await cache.get('stock')) // 9

// By tag, by prefix, by key.
console.log(await cache.evict('team:a')) // 1
for await (const key of cache.keys({ prefix: 'user:' })) console.log(key) // user:2
console.log((await cache.pop('leader')) === process.pid, await cache.delete('leader')) // true false

console.log((await cache.stats()).volume, 'bytes on disk')
await cache.close()
