// @ts-check
// Node and Python on one directory. Needs Python with diskcache: pip install diskcache
// Run it: node examples/python-share/share.mjs

import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { FanoutCache } from 'fanout-cache'

const python = process.env['FANOUT_CACHE_PYTHON'] ?? 'python3'
const script = fileURLToPath(new URL('./share.py', import.meta.url))

const directory = await mkdtemp(join(tmpdir(), 'fanout-cache-share-'))
const cache = new FanoutCache(directory, { shards: 8 })

// What both languages know: text, numbers, bytes, null and booleans; composite keys of them.
await cache.set('greeting', 'Hello from Node', { ttl: '1h', tag: 'text' })
await cache.set(['point', 1, 2.5], Buffer.from([1, 2, 3]))
await cache.set('visits', 1)
await cache.set('nothing', null)

// The cache stays open here while Python writes.
const { status, stdout, stderr } = spawnSync(python, [script, directory], { encoding: 'utf8' })
process.stdout.write(stdout)
if (status !== 0) throw new Error(stderr)

console.log('Node reads:', await cache.get('answer'), await cache.get('pi')) // Hello from Python 3.14159
console.log('Node counts:', await cache.incr('visits')) // 3
console.log('Node evicts by tag:', await cache.evict('text')) // 2
console.log('Node finds fault with nothing:', await cache.check()) // []

await cache.close()
await rm(directory, { recursive: true })
