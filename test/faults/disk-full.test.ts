import fs, { existsSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type CacheOptions, DiskFullError, StorageError } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { cacheOf, KINDS, type Kind, kindsOf, shardsOf } from './support/caches.js'
import { FullDiskWriter } from './support/full-disk.js'
import { fillUp, mountTmpfs, tmpfsAvailable } from './support/tmpfs.js'

const UNBOUNDED = 2 ** 30
const NOTHING_TO_EVICT: CacheOptions = { evictionPolicy: 'none', sizeLimit: UNBOUNDED }

interface Disk {
  readonly root: string
  readonly directory: string
}

/** A new disk of 16 MiB with room for a cache. */
function newDisk(): Disk {
  const root = mountTmpfs('size=16m')
  return { root, directory: join(root, 'cache') }
}

/** Lets no file of a name be opened by the synchronous calls of this process, until the test has finished. */
function refuseToOpen(name: string): void {
  const { openSync, writeFileSync } = fs
  const refusing =
    <Args extends unknown[], Result>(open: (...args: Args) => Result) =>
    (...args: Args): Result => {
      if (!String(args[0]).endsWith(name)) return open(...args)
      throw Object.assign(new Error('EMFILE: too many open files, open'), { code: 'EMFILE', syscall: 'open' })
    }
  Object.assign(fs, { openSync: refusing(openSync), writeFileSync: refusing(writeFileSync) })
  syncBuiltinESMExports()
  onTestFinished(() => {
    Object.assign(fs, { openSync, writeFileSync })
    syncBuiltinESMExports()
  })
}

/** A cache that has been open long enough to have laid aside the space in which it deletes on a full disk. */
async function writerOn(kind: Kind, directory: string, options: CacheOptions) {
  const cache = cacheOf(kind, directory, options)
  await cache.open()
  const reserves = shardsOf(kind).map(shard => join(directory, shard, 'cache.db-reserve'))
  const isEmpty = (path: string): boolean => !existsSync(path) || statSync(path).size === 0
  await expect.poll(() => reserves.filter(isEmpty), { interval: 50 }).toEqual([])
  return { cache, writer: new FullDiskWriter(kind, cache) }
}

describe.skipIf(!tmpfsAvailable).each(KINDS)('a %s on a full disk', kind => {
  it('refuses writes of both kinds when its own entries fill the disk, and leaves no half state', async () => {
    const { directory } = newDisk()
    const { cache, writer } = await writerOn(kind, directory, NOTHING_TO_EVICT)
    await writer.fill('own')
    await writer.expectReadable()
    expect(await cache.count()).toBe(writer.stored.size)
    const files = [...writer.stored.values()].filter(value => value.length >= 32_768)
    expect(valueFiles(directory)).toHaveLength(files.length)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('keeps the old value when an overwrite finds no room', async () => {
    const { root, directory } = newDisk()
    const { cache, writer } = await writerOn(kind, directory, NOTHING_TO_EVICT)
    await writer.set('inline', 'i'.repeat(1000))
    await writer.set('file', 'f'.repeat(50_000))
    fillUp(root)
    await writer.fill('own')
    const before = valueFiles(directory)
    expect(await writer.outcome(() => cache.set('inline', 'j'.repeat(300_000)), 'inline')).toBe('full')
    expect(await writer.outcome(() => cache.set('file', 'g'.repeat(300_000)), 'file')).toBe('full')
    expect(valueFiles(directory)).toEqual(before)
    await writer.expectReadable()
  })

  it('deletes on the full disk and works again when there is space', async () => {
    const { root, directory } = newDisk()
    const { cache, writer } = await writerOn(kind, directory, NOTHING_TO_EVICT)
    for (let key = 0; key < 40; key += 1) await writer.set(`early-${key}`, 'e'.repeat(key % 2 === 0 ? 40_000 : 2000))
    const filler = fillUp(root)
    await writer.fill('own')
    for (let key = 0; key < 20; key += 1) {
      expect(await cache.delete(`early-${key}`, { retry: true })).toBe(true)
      writer.stored.delete(`early-${key}`)
    }
    await writer.expectReadable()
    expect(kindsOf(await cache.check())).toEqual([])

    rmSync(filler)
    for (let key = 0; key < 20; key += 1) expect(await writer.set(`later-${key}`, 'l'.repeat(40_000))).toBe('stored')
    await writer.expectReadable()
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('keeps the room in which it deletes from what grows after a small change', async () => {
    const { root, directory } = newDisk()
    const { cache, writer } = await writerOn(kind, directory, NOTHING_TO_EVICT)
    const keys = Array.from({ length: 40 }, (_, key) => key)
    for (const key of keys) await cache.set(key, 1, { retry: true })
    fillUp(root)
    await writer.fill('own')
    for (let round = 0; round < 4; round++) {
      for (const key of keys.slice(0, 8)) await writer.outcome(() => cache.incr(key))
      await writer.outcome(() => cache.set('file', Buffer.alloc(300_000)), 'file')
      await writer.fill(`more ${round}`)
      fillUp(root)
    }
    for (const key of keys) expect(await cache.delete(key, { retry: true })).toBe(true)
    await cache.clear()
    expect(await cache.count()).toBe(0)
  })

  it('ends the grace of files before it refuses a write, or evicts', async () => {
    const { directory } = newDisk()
    const { cache, writer } = await writerOn(kind, directory, {
      sizeLimit: UNBOUNDED,
      disk: { unlinkGrace: '1h' },
    })
    const evicted: unknown[] = []
    cache.on('evict', event => evicted.push(event))
    await writer.set('live', 'l'.repeat(40_000))
    for (let key = 0; key < 160; key += 1) await cache.set(`old-${key}`, 'o'.repeat(50_000))
    for (let key = 0; key < 160; key += 1) await cache.delete(`old-${key}`)
    expect(valueFiles(directory)).toHaveLength(161)
    for (let key = 0; key < 160; key += 1) expect(await writer.set(`new-${key}`, 'n'.repeat(50_000))).toBe('stored')
    expect(evicted).toEqual([])
    await writer.expectReadable()
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('clears on the full disk', async () => {
    const { root, directory } = newDisk()
    const { cache, writer } = await writerOn(kind, directory, NOTHING_TO_EVICT)
    for (let key = 0; key < 100; key += 1) await writer.set(`early-${key}`, 'e'.repeat(key % 2 === 0 ? 40_000 : 2000))
    fillUp(root)
    await writer.fill('own')
    expect(await cache.clear({ retry: true })).toBe(writer.stored.size)
    expect(await cache.count()).toBe(0)
    expect(valueFiles(directory)).toEqual([])
    expect(await writer.set('again', 'a'.repeat(40_000))).toBe('stored')
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('goes on by evicting when its limit is larger than the disk', async () => {
    const { directory } = newDisk()
    const { cache } = await writerOn(kind, directory, { sizeLimit: UNBOUNDED, statistics: true })
    const reasons = new Set<string>()
    let evictions = 0
    cache.on('evict', ({ reason }) => {
      reasons.add(reason)
      evictions += 1
    })
    for (let key = 0; key < 600; key += 1) {
      const value = `${key} `.repeat(20_000).slice(0, key % 3 === 0 ? 3000 : 60_000)
      expect(await cache.set(key, value, { retry: true }), `write ${key}`).toBe(true)
      expect(await cache.get(key)).toBe(value)
    }
    expect([...reasons]).toEqual(['full'])
    expect(await cache.stats()).toMatchObject({ evictions })
    expect(await cache.count()).toBeGreaterThan(50)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('goes on by evicting entries that lie in the database', async () => {
    const { directory } = newDisk()
    const { cache } = await writerOn(kind, directory, { sizeLimit: UNBOUNDED })
    for (let key = 0; key < 5000; key += 1) {
      expect(await cache.set(key, Buffer.alloc(4000, key), { retry: true }), `write ${key}`).toBe(true)
    }
    expect(await cache.count()).toBeGreaterThan(500)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('goes on by evicting while it takes streams, long ones too', async () => {
    const { directory } = newDisk()
    const { cache } = await writerOn(kind, directory, { sizeLimit: UNBOUNDED })
    for (let key = 0; key < 300; key += 1) {
      const parts = Array.from({ length: key % 50 === 49 ? 100 : 3 }, (_, part) => Buffer.alloc(30_000, part))
      expect(await cache.set(key, Readable.from(parts), { retry: true }), `stream ${key}`).toBe(true)
      expect(await cache.get(key)).toEqual(Buffer.concat(parts))
    }
    expect(await cache.count()).toBeGreaterThan(20)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('refuses a stream where nothing may be evicted, and leaves nothing of it', async () => {
    const { directory } = newDisk()
    const { cache, writer } = await writerOn(kind, directory, NOTHING_TO_EVICT)
    await writer.fill('own')
    const before = valueFiles(directory)
    const stream = Readable.from(Array.from({ length: 20 }, () => Buffer.alloc(100_000)))
    expect(await writer.outcome(() => cache.set('stream', stream), 'stream')).toBe('full')
    expect(stream.destroyed).toBe(true)
    expect(valueFiles(directory)).toEqual(before)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('tells that it is full where something else is in the place of the room for removals', async () => {
    const { root, directory } = newDisk()
    for (const shard of shardsOf(kind)) mkdirSync(join(directory, shard, 'cache.db-reserve'), { recursive: true })
    const writer = new FullDiskWriter(kind, cacheOf(kind, directory, NOTHING_TO_EVICT))
    await writer.set('before', 'b'.repeat(40_000))
    fillUp(root)
    expect(await writer.set('after', 'a'.repeat(300_000))).toBe('full')
    await writer.expectReadable()
  })

  it('stores with the room that it has made, also when the room for removals cannot be made again', async () => {
    const { root, directory } = newDisk()
    const { cache, writer } = await writerOn(kind, directory, { sizeLimit: UNBOUNDED })
    const errors: unknown[] = []
    cache.on('error', error => errors.push(error))
    for (let key = 0; key < 40; key += 1) await writer.set(`old ${key}`, 'o'.repeat(100_000))
    fillUp(root)
    refuseToOpen('cache.db-reserve')
    expect(await cache.set('new', 'n'.repeat(300_000), { retry: true })).toBe(true)
    expect(errors).not.toEqual([])
    for (const error of errors) expect(error).toBeInstanceOf(StorageError)
  })

  it('deletes entries that lie in the database', async () => {
    const { directory } = newDisk()
    const { cache } = await writerOn(kind, directory, NOTHING_TO_EVICT)
    const stored: number[] = []
    let refused = 0
    for (let key = 0; refused < 50; key += 1) {
      if (await cache.set(key, Buffer.alloc(4000, key), { retry: true }).catch(() => false)) stored.push(key)
      else refused += 1
    }
    for (const key of stored.slice(0, 50)) expect(await cache.delete(key, { retry: true }), `delete ${key}`).toBe(true)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('answers from memory nothing of what it evicts for a large write', async () => {
    const { root, directory } = newDisk()
    const { cache } = await writerOn(kind, directory, { sizeLimit: UNBOUNDED, memory: {} })
    const keys = Array.from({ length: 100 }, (_, key) => `small-${key}`)
    for (const key of keys) {
      await cache.set(key, 's'.repeat(2000))
      await cache.set(`file-${key}`, 'f'.repeat(40_000))
      await cache.get(key)
    }
    expect((await cache.getMany(keys)).length).toBe(keys.length)
    fillUp(root)
    expect(await cache.set('large', 'l'.repeat(400_000))).toBe(true)
    const answered = (await cache.getMany(keys)).filter(value => value !== undefined)
    const infos = await Promise.all(keys.map(key => cache.info(key)))
    const left = infos.filter(info => info !== undefined)
    expect(left.length).toBeLessThan(keys.length)
    expect(answered).toHaveLength(left.length)
  })

  it('evicts no more for a small write than the write needs', async () => {
    const { root, directory } = newDisk()
    const { cache, writer } = await writerOn(kind, directory, { sizeLimit: UNBOUNDED })
    for (let key = 0; key < 60; key += 1) await writer.set(`k-${key}`, 'v'.repeat(40_000))
    fillUp(root)
    expect(await cache.set('small', 's'.repeat(100), { retry: true })).toBe(true)
    expect(await cache.get('small')).toBe('s'.repeat(100))
    expect(await cache.count()).toBeGreaterThan(50)
  })

  it.each(['least-recently-used', 'least-frequently-used'] as const)(
    'reads on under %s and statistics',
    async policy => {
      const { root, directory } = newDisk()
      const { cache, writer } = await writerOn(kind, directory, { evictionPolicy: policy, statistics: true })
      const errors: Error[] = []
      cache.on('error', error => errors.push(error))
      for (let key = 0; key < 30; key += 1) await writer.set(`k-${key}`, 'v'.repeat(key % 2 === 0 ? 40_000 : 2000))
      fillUp(root)
      for (let round = 0; round < 5; round += 1) await writer.expectReadable()
      expect(await cache.get('absent')).toBeUndefined()
      await cache.close()
      expect(await cache.get('k-1')).toBe('v'.repeat(2000))
      expect(errors.map(String)).toEqual([])
    },
  )

  it('opens, reads and never quarantines when the disk was full before', async () => {
    const { root, directory } = newDisk()
    const first = await writerOn(kind, directory, NOTHING_TO_EVICT)
    for (let key = 0; key < 30; key += 1) await first.writer.set(`k-${key}`, 'v'.repeat(key % 2 === 0 ? 40_000 : 2000))
    await first.cache.close()
    fillUp(root)

    const cache = cacheOf(kind, directory, { ...NOTHING_TO_EVICT, onCorrupt: 'quarantine' })
    const moved: string[] = []
    cache.on('quarantine', ({ path }) => moved.push(path))
    const reader = new FullDiskWriter(kind, cache)
    for (const [key, value] of first.writer.stored) reader.stored.set(key, value)
    await reader.expectReadable()
    expect(moved).toEqual([])
  })

  it('can be read and emptied by processes that live for a moment, after others like them', async () => {
    const { root, directory } = newDisk()
    const writing = cacheOf(kind, directory, NOTHING_TO_EVICT)
    await writing.setMany(Array.from({ length: 10 }, (_, key) => [key, Buffer.alloc(40_000)] as const))
    await writing.close()
    fillUp(root)
    const reading = cacheOf(kind, directory, { readonly: true })
    expect(await reading.get(1)).toEqual(Buffer.alloc(40_000))
    await reading.close()
    // Others take what room there is between.
    fillUp(root)
    const clearing = cacheOf(kind, directory, NOTHING_TO_EVICT)
    expect(await clearing.clear({ retry: true, timeout: 10_000 })).toBe(10)
  })

  it('undoes all of a transaction that finds no room', async () => {
    const { root, directory } = newDisk()
    const { cache, writer } = await writerOn(kind, directory, NOTHING_TO_EVICT)
    for (let key = 0; key < 20; key += 1) await writer.set(`k-${key}`, 'v'.repeat(key % 2 === 0 ? 40_000 : 2000))
    fillUp(root)
    const before = valueFiles(directory)
    const body = cache.transact(tx => {
      tx.delete('k-1')
      tx.pop('k-2')
      tx.set('k-3', 'w'.repeat(2000))
      tx.set('k-4', 'w'.repeat(4_000_000))
      return true
    })
    expect(await writer.outcome(() => body)).toBe('full')
    expect(valueFiles(directory)).toEqual(before)
    await writer.expectReadable()
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('runs the body of a transaction once, also where evicting makes room', async () => {
    const { root, directory } = newDisk()
    const { cache, writer } = await writerOn(kind, directory, {})
    for (let key = 0; key < 20; key += 1) await writer.set(`k-${key}`, 'v'.repeat(40_000))
    fillUp(root)
    let calls = 0
    const body = cache.transact(tx => {
      calls += 1
      for (let part = 0; part < 40; part += 1) tx.set(`part ${part}`, 'w'.repeat(20_000))
      return true
    })
    await writer.outcome(() => body)
    expect(calls).toBe(1)
  })

  it('commits no part of a transaction that goes on after it found no room', async () => {
    const { root, directory } = newDisk()
    const { cache, writer } = await writerOn(kind, directory, { ...NOTHING_TO_EVICT, sqlite: { cacheSize: 16 } })
    const keys = Array.from({ length: 40 }, (_, key) => `k-${key}`)
    for (const key of keys) await writer.set(key, 'v'.repeat(key.length % 2 === 0 ? 40_000 : 2000))
    fillUp(root)
    const last = shardsOf(kind).at(-1) as string
    const inLast: string[] = []
    for (const key of keys) {
      const path = (await cache.info(key))?.path
      if (path !== undefined && (kind === 'Cache' || path.startsWith(last))) inLast.push(key)
    }
    const body = cache.transact(tx => {
      for (const key of keys) tx.set(key, 'changed')
      try {
        for (let round = 0; round < 2000; round += 1) tx.set(inLast[0] ?? '', 'w'.repeat(20_000 + round))
        for (let round = 0; round < 2000; round += 1) tx.set(`${inLast[0]} ${round}`, 'w'.repeat(20_000))
      } catch (error) {
        void error
      }
      return true
    })
    expect(await writer.outcome(() => body)).toBe('full')
    await writer.expectReadable()
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('answers for each entry of a setMany that does not fit whether it is stored', async () => {
    const { directory } = newDisk()
    const cache = cacheOf(kind, directory, NOTHING_TO_EVICT)
    await cache.open()
    const entries = [
      ['small', 's'],
      ['huge', 'h'.repeat(20_000_000)],
      ['last', 'l'],
    ] as const
    const result = await cache.setMany(entries).catch((error: unknown) => error)
    const stored = Array.isArray(result) ? result : [false, false, false]
    if (kind === 'Cache') expect(result).toBeInstanceOf(DiskFullError)
    for (const [index, [key, value]] of entries.entries()) {
      expect(await cache.get(key)).toBe(stored[index] ? value : undefined)
    }
    expect(stored[1]).toBe(false)
    expect(await cache.set('next', 'n'.repeat(40_000))).toBe(true)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('refuses files, and them alone, when the disk has no inode left', async () => {
    const root = mountTmpfs('size=32m,nr_inodes=60')
    const { cache, writer } = await writerOn(kind, join(root, 'cache'), NOTHING_TO_EVICT)
    let outcome = 'stored'
    for (let key = 0; key < 60 && outcome === 'stored'; key += 1)
      outcome = await writer.set(`f-${key}`, 'f'.repeat(40_000))
    expect(outcome).toBe('full')
    expect(await writer.set('inline', 'i'.repeat(1000))).toBe('stored')
    await writer.expectReadable()
    expect(kindsOf(await cache.check())).toEqual([])
    // Two, since a file of another name may need a directory that one of them had shared.
    for (const key of ['f-0', 'f-1']) expect(await cache.delete(key)).toBe(true)
    expect(await writer.set('f-0', 'f'.repeat(40_000))).toBe('stored')
  })
})

it.each(KINDS)('a %s that is closed at once lays aside as little as the limit in its directory allows', async kind => {
  const directory = temporaryDirectory()
  const sizeLimit = 2 ** 20
  const first = cacheOf(kind, directory, { sizeLimit })
  await first.set('k', 1)
  await first.close()
  const reserves = shardsOf(kind).map(shard => join(directory, shard, 'cache.db-reserve'))
  for (const path of reserves) rmSync(path)
  const again = cacheOf(kind, directory)
  expect(await again.get('k')).toBe(1)
  await again.close()
  const bytes = reserves.reduce((sum, path) => sum + statSync(path).size, 0)
  expect(bytes).toBe(sizeLimit / 16)
})
