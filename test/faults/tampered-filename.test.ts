import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Cache, type DiskCache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf, KINDS, type Kind, shardsOf } from './support/caches.js'
import { tamper } from './support/tampering.js'

const SECRET = 'S'.repeat(40_000)
const KEYS = [0, 2, 4, 6, 8, 10, 12]
const PATTERN = `aa/bb/${'c'.repeat(28)}.val`

interface Place {
  /** The directory of the database. */
  readonly shard: string
  /** A file outside of the cache that must be neither read nor removed. */
  readonly victim: string
}

/** A file name as somebody could write it into the database; makes what it leads to. */
const FILENAMES: Readonly<Record<string, (place: Place) => string>> = {
  'an absolute path': ({ victim }) => victim,
  'a path that climbs out': () => '../victim.bin',
  'a path that climbs out of its directories': () => 'aa/bb/../../../victim.bin',
  'a path that climbs with backslashes': () => '..\\victim.bin',
  'a symbolic link': ({ shard, victim }) => {
    clearWay(shard)
    mkdirSync(join(shard, 'aa', 'bb'), { recursive: true })
    symlinkSync(victim, join(shard, PATTERN))
    return PATTERN
  },
  'a path through a linked directory': ({ shard, victim }) => {
    clearWay(shard)
    mkdirSync(join(victim, '..', 'outside', 'bb'), { recursive: true })
    writeFileSync(join(victim, '..', 'outside', PATTERN.slice(3)), SECRET)
    symlinkSync(join(victim, '..', 'outside'), join(shard, 'aa'))
    return PATTERN
  },
  'the database itself': () => 'cache.db',
  'the log of the database': () => 'cache.db-wal',
  'the database by another spelling': () => 'aa/../cache.db',
  'a directory': ({ shard }) => {
    clearWay(shard)
    mkdirSync(join(shard, PATTERN), { recursive: true })
    return PATTERN
  },
  'a pipe': ({ shard }) => {
    clearWay(shard)
    mkdirSync(join(shard, 'aa', 'bb'), { recursive: true })
    execFileSync('mkfifo', [join(shard, PATTERN)])
    return PATTERN
  },
  nothing: () => '',
  'the directory of the cache': () => '.',
  'a name with a NUL': () => `${PATTERN}\0.txt`,
  'a very long name': () => `aa/${'b'.repeat(5000)}.val`,
}

/** A value file may have got this directory by chance; no row names it any more when the test begins. */
function clearWay(shard: string): void {
  rmSync(join(shard, 'aa'), { recursive: true, force: true })
}

interface Setting extends Place {
  readonly cache: DiskCache
  readonly root: string
}

/** A cache in which all keys name the same tampered file. */
async function tampered(kind: Kind, filename: (place: Place) => string): Promise<Setting> {
  const root = temporaryDirectory()
  const directory = join(root, 'cache')
  const shard = join(directory, shardsOf(kind)[0] ?? '.')
  const victim = join(shard, '..', 'victim.bin')
  const cache = cacheOf(kind, directory)
  for (const key of KEYS) await cache.set(key, SECRET, { retry: true, tag: 't' })
  writeFileSync(victim, SECRET)
  const name = filename({ shard, victim })
  const size = name === 'cache.db' ? lstatSync(join(shard, name)).size : SECRET.length
  tamper(kind, directory, db => {
    db.prepare('UPDATE Cache SET filename = ?, size = ?').run(name, size)
  })
  return { cache, root, shard, victim }
}

function expectUnharmed({ shard, victim }: Place): void {
  expect(readFileSync(victim, 'utf8')).toBe(SECRET)
  expect(existsSync(join(shard, 'cache.db'))).toBe(true)
  const outside = join(victim, '..', 'outside', PATTERN.slice(3))
  if (existsSync(join(victim, '..', 'outside'))) expect(readFileSync(outside, 'utf8')).toBe(SECRET)
}

/** What is not a value file of this cache is never followed: a miss, or an error of the package, but no value. */
async function expectNoValue(answer: Promise<unknown>): Promise<void> {
  const value = await answer.catch((error: unknown) => {
    expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_CACHE_/) as string })
    return undefined
  })
  expect(value).toBeUndefined()
}

/** The shards of a FanoutCache do what a Cache does: names of each sort show it. */
const OF_SHARDS = ['an absolute path', 'a path through a linked directory', 'the database itself']

function namesFor(kind: Kind): (readonly [name: string, filename: (place: Place) => string])[] {
  return Object.entries(FILENAMES).filter(([name]) => kind === 'Cache' || OF_SHARDS.includes(name))
}

describe.each(KINDS)('a %s whose database names', kind => {
  it.each(namesFor(kind))('%s neither follows nor removes it', async (_name, filename) => {
    const place = await tampered(kind, filename)
    const { cache } = place
    await expectNoValue(cache.get(0))
    await expectNoValue(cache.getItem(0))
    await expectNoValue(cache.read(0))
    await expectNoValue(cache.pop(0, { retry: true }))
    expectUnharmed(place)
    expect(await cache.set(2, 'new', { retry: true })).toBe(true)
    expect(typeof (await cache.delete(4, { retry: true }))).toBe('boolean')
    await cache.touch(6, { ttl: 0, retry: true })
    await cache.expire({ retry: true })
    await cache.cull({ retry: true })
    expectUnharmed(place)
    await cache.check()
    expectUnharmed(place)
    await cache.evict('t', { retry: true })
    await cache.clear({ retry: true })
    await cache.close()
    expectUnharmed(place)
    expect(await cache.set(0, SECRET, { retry: true })).toBe(true)
    expect(await cache.get(0)).toBe(SECRET)
  })

  it.each(namesFor(kind))('%s repairs itself by check({ fix }) without touching it', async (_name, filename) => {
    const place = await tampered(kind, filename)
    const { cache } = place
    expect((await cache.check()).length).toBeGreaterThan(0)
    await cache.check({ fix: true })
    expectUnharmed(place)
    for (const key of KEYS) await expectNoValue(cache.get(key))
    const left = (await cache.check()).filter(
      ({ kind: found }) => !/^(foreign-file|unknown-file|empty-directory)$/.test(found),
    )
    expect(left).toEqual([])
    expectUnharmed(place)
  })
})

it('lays no reserve aside through a link', async () => {
  const directory = temporaryDirectory()
  const victim = join(temporaryDirectory(), 'victim')
  writeFileSync(victim, 'precious')
  symlinkSync(victim, join(directory, 'cache.db-reserve'))
  const cache = new Cache(directory)
  await cache.set('key', 1)
  await cache.close()
  expect(readFileSync(victim, 'utf8')).toBe('precious')
})
