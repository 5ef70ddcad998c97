// @ts-check
// Values that are files: streamed in, streamed out, whole or a range. Run it: node examples/files.mjs

import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { FanoutCache } from 'fanout-cache'

const directory = await mkdtemp(join(tmpdir(), 'fanout-cache-files-'))
const original = join(directory, 'original.csv')
await writeFile(original, Array.from({ length: 200_000 }, (_, line) => `${line};${line ** 2}\n`).join(''))

const cache = new FanoutCache(join(directory, 'cache'))

// A stream takes its place when it has ended: until then, and if it fails, the old value stays.
await cache.set('squares', createReadStream(original), { ttl: '1d', tag: 'export', meta: { type: 'text/csv' } })

const info = await cache.info('squares')
console.log(info?.meta, info?.size, 'bytes in', info?.path) // { type: 'text/csv' } 2997777 bytes in 003/ab/cd/….val

// read() answers an open file: what happens to the entry from now on does not disturb it.
const file = await cache.read('squares')
if (!file) throw new Error('the cache is too small for it')
await cache.delete('squares')
const copy = join(directory, 'copy.csv')
await pipeline(file.stream(), createWriteStream(copy))
console.log((await readFile(original)).equals(await readFile(copy))) // true

// A range, both ends included, as in HTTP.
await cache.set('squares', createReadStream(original))
const part = await cache.read('squares')
console.log((await part?.stream({ start: 0, end: 11 }).toArray())?.join('')) // 0;0 1;1 2;4 (in three lines)

// Small values stay in the database, unless they are told to be files; read() opens both.
await cache.set('small', 'only a few bytes', { file: true })
console.log((await (await cache.read('small'))?.bytes())?.toString()) // only a few bytes

// A stream that fails leaves no trace.
const broken = createReadStream(join(directory, 'no-such-file'))
console.log(await cache.set('broken', broken).catch(error => error.code)) // ENOENT
console.log(await cache.has('broken')) // false

await cache.close()
await rm(directory, { recursive: true })
