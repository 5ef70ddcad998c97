import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Cache, Deque, type DiskCache, Index, type Key } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { cacheOf, KINDS, kindsOf, shardsOf } from './support/caches.js'

const LARGE = 'L'.repeat(40_000)

/** The path of the file in which a value lies. */
async function fileOf(cache: DiskCache, key: Key): Promise<string> {
  const info = await cache.info(key)
  if (info?.path === undefined) throw new Error(`${String(key)} is no file`)
  return join(cache.directory, info.path)
}

const DAMAGES: readonly (readonly [string, (path: string) => void])[] = [
  ['missing', unlinkSync],
  ['missing with its directory', path => rmSync(dirname(path), { recursive: true })],
  ['short by a byte', path => truncateSync(path, 39_999)],
  ['empty', path => truncateSync(path, 0)],
  ['longer than it was', path => appendFileSync(path, 'x')],
]

describe.each(KINDS)('a %s with a value file that is', kind => {
  it.each(DAMAGES)('%s takes it for a miss, and the row goes with the next write', async (_name, damage) => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    // Keys 0, 2 and 4 share a database.
    for (const key of [0, 2]) await cache.set(key, LARGE, { retry: true })
    damage(await fileOf(cache, 0))

    expect(await cache.get(0)).toBeUndefined()
    expect(await cache.getItem(0)).toBeUndefined()
    expect(await cache.read(0)).toBeUndefined()
    expect(await cache.getMany([0, 2])).toEqual([undefined, LARGE])
    await cache.set(4, 'next', { retry: true })
    expect(await cache.count()).toBe(2)
    expect(await cache.has(0)).toBe(false)
    expect(kindsOf(await cache.check())).toEqual([])
    expect(await cache.get(2)).toBe(LARGE)
  })

  it.each(DAMAGES)('%s pops as a miss and can be stored anew', async (_name, damage) => {
    const cache = cacheOf(kind, temporaryDirectory())
    for (const key of [0, 2, 4]) await cache.set(key, LARGE, { retry: true })
    for (const key of [0, 2, 4]) damage(await fileOf(cache, key))
    expect(await cache.getMany([0, 2, 4])).toEqual([undefined, undefined, undefined])
    expect(await cache.pop(0, { retry: true })).toBeUndefined()
    expect(await cache.add(2, 'anew', { retry: true })).toBe(true)
    expect(await cache.set(4, `${LARGE}anew`, { retry: true })).toBe(true)
    expect(await cache.getMany([0, 2, 4])).toEqual([undefined, 'anew', `${LARGE}anew`])
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it.each(DAMAGES)('%s is in the way of no add, also when nobody has read it before', async (_name, damage) => {
    const cache = cacheOf(kind, temporaryDirectory())
    for (const key of [0, 2]) await cache.set(key, LARGE, { retry: true })
    for (const key of [0, 2]) damage(await fileOf(cache, key))
    expect(await cache.add(0, 'anew', { retry: true })).toBe(true)
    expect(await cache.transact(tx => tx.add(2, `${LARGE}anew`))).toBe(true)
    expect(await cache.add(2, 'again', { retry: true })).toBe(false)
    expect(await cache.getMany([0, 2])).toEqual(['anew', `${LARGE}anew`])
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it.each(DAMAGES)('%s is a miss inside of a transaction too', async (_name, damage) => {
    const cache = cacheOf(kind, temporaryDirectory())
    for (const key of [0, 2]) await cache.set(key, LARGE, { retry: true })
    damage(await fileOf(cache, 0))
    const keys = [0, 2]
    expect(await cache.transact(tx => keys.map(key => tx.get(key)), { keys })).toEqual([undefined, LARGE])
  })

  it('missing or short is found and repaired by check()', async () => {
    const cache = cacheOf(kind, temporaryDirectory())
    for (const key of [0, 2]) await cache.set(key, LARGE, { retry: true })
    unlinkSync(await fileOf(cache, 0))
    truncateSync(await fileOf(cache, 2), 100)
    expect(kindsOf(await cache.check()).filter(found => found !== 'empty-directory')).toEqual([
      'missing-file',
      'wrong-size',
    ])
    const fixed = await cache.check({ fix: true })
    expect(fixed.every(finding => finding.fixed)).toBe(true)
    expect(kindsOf(await cache.check())).toEqual([])
    expect(await cache.get(0)).toBeUndefined()
  })
})

describe.each(KINDS)('a %s whose value file is cut short while it is open', kind => {
  it('tells so by an error, and takes no part of it for the whole', async () => {
    const cache = cacheOf(kind, temporaryDirectory())
    await cache.set(0, LARGE, { retry: true })
    const files = [await cache.read(0), await cache.read(0)]
    truncateSync(await fileOf(cache, 0), 1000)
    const stream = files[0]?.stream() as Readable
    await expect(text(stream)).rejects.toMatchObject({ code: 'ERR_CACHE_STORAGE' })
    await expect(files[1]?.bytes()).rejects.toMatchObject({ code: 'ERR_CACHE_STORAGE' })
  })
})

describe('a Cache with a queue', () => {
  it('passes over an item whose file is missing', async () => {
    const cache = new Cache(temporaryDirectory())
    onTestFinished(() => cache.close())
    const first = await cache.push(LARGE)
    await cache.push('second')
    unlinkSync(await fileOf(cache, first))
    expect((await cache.peek())?.value).toBe('second')
    expect((await cache.pull())?.value).toBe('second')
    expect(await cache.pull()).toBeUndefined()
    expect(kindsOf(await cache.check())).toEqual([])
  })
})

describe.each(KINDS)('a %s with a foreign file in its directory', kind => {
  it('reports it and leaves it alone in check({ fix }), clear() and upkeep', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    for (let key = 0; key < 8; key += 1) await cache.set(key, LARGE, { retry: true })
    const shard = join(directory, shardsOf(kind)[0] ?? '.')
    const beside = dirname(await fileOf(cache, 0))
    const foreign = [
      join(directory, 'root.txt'),
      join(shard, 'notes.txt'),
      join(beside, 'notes.txt'),
      join(beside, 'short.val'),
      join(shard, 'deep', 'er', 'data.bin'),
      join(shard, '.hidden'),
    ]
    mkdirSync(join(shard, 'deep', 'er'), { recursive: true })
    for (const path of foreign) writeFileSync(path, 'not ours')

    const found = await cache.check()
    expect(found.filter(({ path }) => path !== undefined)).toHaveLength(foreign.length)
    for (const finding of found) {
      expect(['foreign-file', 'unknown-file']).toContain(finding.kind)
      expect(finding.fixed).toBe(false)
    }
    for (const finding of await cache.check({ fix: true })) expect(finding.fixed).toBe(false)
    await cache.clear({ retry: true })
    await cache.cull({ retry: true })
    await cache.close()
    for (const path of foreign) expect(readFileSync(path, 'utf8')).toBe('not ours')
    expect(valueFiles(directory)).toEqual([])
  })

  it('removes by check({ fix }) a file that looks like one of its own', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await cache.set(0, LARGE, { retry: true })
    const path = join(directory, shardsOf(kind)[0] ?? '.', 'ab', 'cd', `${'0'.repeat(28)}.val`)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, 'left behind')
    expect(kindsOf(await cache.check())).toEqual(['unknown-file'])
    expect((await cache.check({ fix: true })).every(({ fixed }) => fixed)).toBe(true)
    expect(existsSync(path)).toBe(false)
    expect(readdirSync(directory)).not.toContain('ab')
    expect(await cache.get(0)).toBe(LARGE)
    expect(kindsOf(await cache.check())).toEqual([])
  })
})

/** Removes the files of a directory as soon as a transaction is over, as a check that repairs does elsewhere. */
function removeUnknownFilesAtCommits(directory: string): void {
  const remove = (): void => {
    for (const path of valueFiles(directory)) unlinkSync(path)
  }
  subscribe('fanout-cache:commit', remove)
  onTestFinished(() => {
    unsubscribe('fanout-cache:commit', remove)
  })
}

describe('a value file that a check removes while its value is taken', () => {
  const TAKERS: readonly (readonly [string, Key | undefined, (cache: Cache) => Promise<unknown>])[] = [
    ['pop', 'key', cache => cache.pop('key')],
    ['popItem', 'key', async cache => (await cache.popItem('key'))?.value],
    ['pull', undefined, async cache => (await cache.pull())?.value],
    ['pop of an Index', 'key', cache => Index.from(cache).pop('key')],
    ['popLeft of a Deque', undefined, cache => Deque.from(cache).popLeft()],
  ]

  it.each(TAKERS)('reaches the caller of %s', async (_name, key, take) => {
    const cache = new Cache(temporaryDirectory(), { evictionPolicy: 'none' })
    onTestFinished(() => cache.close())
    await (key === undefined ? cache.push(LARGE) : cache.set(key, LARGE))
    removeUnknownFilesAtCommits(cache.directory)
    expect(await take(cache)).toBe(LARGE)
  })
})

it('setDefault() of an Index stores a value once that another process removes at once', async () => {
  const index = new Index<string>(temporaryDirectory())
  onTestFinished(() => index.close())
  await index.size()
  const db = rawDatabase(index.directory)
  let removed = 0
  const remove = (): void => {
    const path = db.prepare("DELETE FROM Cache WHERE key = 'a' RETURNING filename").pluck().get()
    if (typeof path !== 'string') return
    rmSync(join(index.directory, path))
    removed++
  }
  subscribe('fanout-cache:commit', remove)
  onTestFinished(() => {
    unsubscribe('fanout-cache:commit', remove)
  })
  expect(await index.setDefault('a', LARGE)).toBe(LARGE)
  expect(removed).toBe(1)
  expect(await index.size()).toBe(0)
})
