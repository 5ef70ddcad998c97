import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Cache, type DiskCache, DiskCacheError, ReadonlyError } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf, KINDS, type Kind, kindsOf, optionsOf, shardsOf } from './support/caches.js'
import { mountTmpfs, remount, tmpfsAvailable } from './support/tmpfs.js'

const HOLDER = new URL('./fixtures/holder.mjs', import.meta.url)
const CRASHER = new URL('./fixtures/transact-crash.mjs', import.meta.url)
const LARGE = 'L'.repeat(40_000)
const ENTRIES: readonly (readonly [number, string])[] = [
  [0, 'zero'],
  [1, 'one'],
  [2, LARGE],
  [3, LARGE],
]

async function make(kind: Kind, directory: string): Promise<void> {
  const cache = cacheOf(kind, directory, { evictionPolicy: 'least-recently-used', statistics: true })
  for (const [key, value] of ENTRIES) await cache.set(key, value, { retry: true })
  await cache.close()
}

async function expectEntries(cache: DiskCache): Promise<void> {
  for (const [key, value] of ENTRIES) expect(await cache.get(key)).toBe(value)
  expect(await cache.get('absent')).toBeUndefined()
  expect(await cache.count()).toBe(ENTRIES.length)
  const keys: unknown[] = []
  for await (const key of cache.keys()) keys.push(key)
  expect(keys.sort()).toEqual([0, 1, 2, 3])
}

function writes(cache: DiskCache): readonly (readonly [string, () => Promise<unknown>])[] {
  return [
    ['set', () => cache.set(0, 'new')],
    ['set of a file', () => cache.set(0, LARGE)],
    ['add', () => cache.add('k', 'new')],
    ['getOrSet', () => cache.getOrSet('k', () => 'new')],
    ['touch', () => cache.touch(0, { ttl: 1 })],
    ['delete', () => cache.delete(0)],
    ['pop', () => cache.pop(0)],
    ['incr', () => cache.incr('n')],
    ['setMany', () => cache.setMany([[0, 'new']])],
    ['deleteMany', () => cache.deleteMany([0])],
    ['expire', () => cache.expire()],
    ['evict', () => cache.evict('t')],
    ['cull', () => cache.cull()],
    ['clear', () => cache.clear()],
    ['createTagIndex', () => cache.createTagIndex()],
    ['configure', () => cache.configure({ cullLimit: 3 })],
    ['transact', () => cache.transact(tx => tx.set(0, 'new'))],
    ['stats that resets', () => cache.stats({ reset: true })],
  ]
}

/** Version of each database: it moves when another connection commits. */
function watch(kind: Kind, directory: string): () => unknown[] {
  const connections = shardsOf(kind).map(shard => new Database(join(directory, shard, 'cache.db'), { readonly: true }))
  return () => connections.map(connection => connection.pragma('data_version', { simple: true }))
}

describe.each(KINDS)('a %s with readonly', kind => {
  it('reads, rejects every write with ReadonlyError and commits nothing', async () => {
    const directory = temporaryDirectory()
    await make(kind, directory)
    const versions = watch(kind, directory)
    const before = versions()
    const cache = cacheOf(kind, directory, { readonly: true })
    await expectEntries(cache)
    for (const [verb, write] of writes(cache)) {
      const error = await write().then(
        () => undefined,
        (reason: unknown) => reason,
      )
      expect(error, verb).toBeInstanceOf(ReadonlyError)
      expect((error as Error).message, verb).toMatch(/opened with readonly/)
    }
    await expectEntries(cache)
    await cache.close()
    expect(versions()).toEqual(before)
  })

  it('lays aside no space, which it would not need', async () => {
    const directory = temporaryDirectory()
    await make(kind, directory)
    const reserves = shardsOf(kind).map(shard => join(directory, shard, 'cache.db-reserve'))
    for (const path of reserves) rmSync(path)
    const cache = cacheOf(kind, directory, { readonly: true })
    await expectEntries(cache)
    await cache.close()
    expect(reserves.filter(path => existsSync(path))).toEqual([])
  })

  it('rejects when the directory does not exist, and does not make it', async () => {
    const directory = join(temporaryDirectory(), 'absent')
    const cache = cacheOf(kind, directory, { readonly: true })
    await expect(cache.get(0)).rejects.toMatchObject({ code: 'ERR_CACHE_DIRECTORY' })
    expect(existsSync(directory)).toBe(false)
  })

  it('reads beside the journal that a killed process has left, open meanwhile or opened then', async () => {
    const directory = temporaryDirectory()
    // More than the page cache holds: what was changed is in the database before it is committed.
    const options = { sqlite: { journalMode: 'delete', cacheSize: 10 }, disk: { minFileSize: 2 ** 20 } }
    const writer = cacheOf(kind, directory, options)
    for (const [key, value] of ENTRIES) await writer.set(key, value, { retry: true })
    await writer.close()
    const open = cacheOf(kind, directory, { readonly: true })
    await expectEntries(open)
    const killed = new FixtureProcess(CRASHER, {
      kind,
      directory,
      options: optionsOf(kind, options),
      milliseconds: 60_000,
    })
    await killed.line('inside')
    await killed.kill()
    expect(shardsOf(kind).some(shard => existsSync(join(directory, shard, 'cache.db-journal')))).toBe(true)
    await expectEntries(open)
    expect(kindsOf(await open.check()).filter(one => one !== 'unknown-file')).toEqual([])
    await open.close()
    await expectEntries(cacheOf(kind, directory, { readonly: true }))
  })

  it('reads what a process that writes has not yet checkpointed', async () => {
    const directory = temporaryDirectory()
    const holder = new FixtureProcess(HOLDER, { kind, directory, options: optionsOf(kind), entries: ENTRIES })
    await holder.line('open')
    await expectEntries(cacheOf(kind, directory, { readonly: true }))
    holder.send('close')
    await holder.done()
  })
})

/** A cache with entries, of a process that was killed, on a file system that can only be read now. */
async function left(kind: Kind): Promise<{ readonly root: string; readonly directory: string }> {
  const root = mountTmpfs('size=16m')
  const directory = join(root, 'cache')
  const holder = new FixtureProcess(HOLDER, { kind, directory, options: optionsOf(kind), entries: ENTRIES })
  await holder.line('open')
  await holder.kill()
  remount(root, 'ro')
  return { root, directory }
}

describe.skipIf(!tmpfsAvailable).each(KINDS)('a %s on a read-only file system', kind => {
  it('reads when a killed process has left its log, and rejects writes with a typed error', async () => {
    const { directory } = await left(kind)
    for (const options of [{ readonly: true }, {}]) {
      const cache = cacheOf(kind, directory, options)
      await expectEntries(cache)
      for (const [verb, write] of writes(cache)) {
        // There is nothing to expire or to evict: what has nothing to write may say so.
        if (['expire', 'evict', 'cull'].includes(verb)) continue
        const error = await write().then(
          () => undefined,
          (reason: unknown) => reason,
        )
        expect(error, verb).toBeInstanceOf(DiskCacheError)
        expect(['ERR_CACHE_READONLY', 'ERR_CACHE_DIRECTORY'], verb).toContain((error as DiskCacheError).code)
      }
      await cache.close()
    }
  })

  it('writes when that can be written again', async () => {
    const { root, directory } = await left(kind)
    const cache = cacheOf(kind, directory)
    await expectEntries(cache)
    await expect(cache.set(0, 'new')).rejects.toMatchObject({ code: 'ERR_CACHE_READONLY' })
    remount(root, 'rw')
    for (const [key, value] of ENTRIES) expect(await cache.set(key, `new ${value}`, { retry: true })).toBe(true)
    for (const [key, value] of ENTRIES) expect(await cache.get(key)).toBe(`new ${value}`)
  })

  it('runs transactions when that can be written again', async () => {
    const { root, directory } = await left(kind)
    const cache = cacheOf(kind, directory)
    await expectEntries(cache)
    const change = () => cache.transact(tx => ENTRIES.map(([key]) => tx.set(key, 'new')), { retry: true })
    await expect(change()).rejects.toMatchObject({ code: 'ERR_CACHE_READONLY' })
    remount(root, 'rw')
    // The body of a transaction runs once: the one that finds out may still be refused.
    await change().catch(() => undefined)
    expect(await change()).toEqual(ENTRIES.map(() => true))
    for (const [key] of ENTRIES) expect(await cache.get(key)).toBe('new')
  })

  it('says why it cannot open when there is no log', async () => {
    const root = mountTmpfs('size=16m')
    const directory = join(root, 'cache')
    await make(kind, directory)
    const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    expect(names.filter(name => name.endsWith('-wal'))).toEqual([])
    remount(root, 'ro')
    const cache = cacheOf(kind, directory, { readonly: true })
    const error = await cache.get(0).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_CACHE_DIRECTORY' })
    expect((error as Error).message).toMatch(/read-only/)
    expect((error as Error).message).toMatch(/-wal/)
  })

  it('rejects with a typed error when the directory would have to be made there', async () => {
    const root = mountTmpfs('size=16m')
    remount(root, 'ro')
    const cache = cacheOf(kind, join(root, 'cache'))
    await expect(cache.set(0, 'v')).rejects.toMatchObject({ code: 'ERR_CACHE_DIRECTORY' })
  })
})

describe('the ends of a readonly Cache', () => {
  it.each(['', 'x'.repeat(40_000)])('are seen behind expired entries, which stay (%#)', async padding => {
    const directory = temporaryDirectory()
    const clock = new ManualClock()
    const writer = new Cache(directory, { clock, disk: { minFileSize: 1000 } })
    for (const value of ['gone', 'a', 'b', 'gone']) {
      const ttl = value === 'gone' ? 10 : null
      for (const prefix of [undefined, 'jobs']) {
        await writer.push(value + padding, { ttl, ...(prefix !== undefined && { prefix }) })
      }
    }
    await writer.close()
    clock.advance(20)
    const cache = new Cache(directory, { clock, readonly: true })
    onTestFinished(() => cache.close())
    for (const queue of [{}, { prefix: 'jobs' }]) {
      expect((await cache.peek(queue))?.value).toBe(`a${padding}`)
      expect((await cache.peek({ ...queue, side: 'back' }))?.value).toBe(`b${padding}`)
    }
    expect((await cache.peekItem())?.value).toBe(`b${padding}`)
    expect((await cache.peekItem({ last: false }))?.value).toBe(`a${padding}`)
    expect(await cache.peek({ prefix: 'other' })).toBeUndefined()
    expect(await cache.count()).toBe(8)
  })
})
