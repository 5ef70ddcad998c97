import { existsSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { CorruptError, type DiskCache, type Key } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { collect } from '../helpers/collect.js'
import { removeTree, temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf, KINDS, type Kind, kindsOf, optionsOf, shardsOf } from './support/caches.js'
import { readElsewhere } from './support/reader.js'

const USER = new URL('./fixtures/shard-user.mjs', import.meta.url)
const LARGE = 'L'.repeat(40_000)
const KEYS = [0, 1, 2, 3]

async function filled(kind: Kind, directory: string): Promise<DiskCache> {
  const cache = cacheOf(kind, directory)
  cache.on('quarantine', ({ path }) => expect.unreachable(`moved to ${path}`))
  for (const key of KEYS) expect(await cache.set(key, key < 2 ? `old ${key}` : LARGE)).toBe(true)
  return cache
}

/** A read after the deletion: old data or a miss, never an error and never something else. */
async function expectOldOrMiss(cache: DiskCache): Promise<void> {
  for (const key of KEYS) {
    const old = key < 2 ? `old ${key}` : LARGE
    expect([old, undefined]).toContain(await cache.get(key))
  }
}

const LOGS = [
  ['the log of the database', ['-wal']],
  ['the shared memory of the log', ['-shm']],
  ['the log of the database and its shared memory', ['-wal', '-shm']],
] as const

const DELETIONS: readonly (readonly [string, (directory: string, shard: string) => void])[] = [
  ['the whole directory', directory => removeTree(directory)],
  ['the directory of a database', (directory, shard) => removeTree(join(directory, shard))],
  ['the database', (directory, shard) => removeDatabase(join(directory, shard), ['', '-wal', '-shm'])],
  ['the database, but not its log', (directory, shard) => removeDatabase(join(directory, shard), [''])],
  ...LOGS.map(([name, suffixes]) => {
    return [name, (directory: string, shard: string) => removeDatabase(join(directory, shard), suffixes)] as const
  }),
]

function removeDatabase(shard: string, suffixes: readonly string[]): void {
  for (const suffix of suffixes) {
    const path = join(shard, `cache.db${suffix}`)
    if (existsSync(path)) unlinkSync(path)
  }
}

describe.each(KINDS)('a %s whose files are deleted while it is open', kind => {
  it.each(DELETIONS)('recreates %s on the next write', async (_name, remove) => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = await filled(kind, directory)
    remove(directory, shardsOf(kind)[0] ?? '.')
    await expectOldOrMiss(cache)
    expect(await cache.set(0, 'new', { retry: true })).toBe(true)
    expect(await cache.set(2, `new ${LARGE}`, { retry: true })).toBe(true)
    expect(await cache.get(0)).toBe('new')
    expect(await cache.get(2)).toBe(`new ${LARGE}`)
    expect(await readElsewhere(kind, directory, [0, 2])).toEqual(['new', `new ${LARGE}`])
    await cache.check({ fix: true })
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it.each(LOGS)(
    'keeps all that it has when %s is deleted, for processes that open it then',
    async (_name, suffixes) => {
      const directory = join(temporaryDirectory(), 'cache')
      const cache = await filled(kind, directory)
      for (const shard of shardsOf(kind)) removeDatabase(join(directory, shard), suffixes)
      // Writes look for their files once in a millisecond.
      await delay(5)
      for (const key of KEYS) expect(await cache.set(`new ${key}`, key, { retry: true })).toBe(true)
      const keys = [...KEYS, ...KEYS.map(key => `new ${key}`)]
      const values = ['old 0', 'old 1', LARGE, LARGE, ...KEYS]
      expect(await readElsewhere(kind, directory, keys)).toEqual(values)
      expect(await cache.getMany(keys)).toEqual(values)
      await cache.close()
      expect(await readElsewhere(kind, directory, keys)).toEqual(values)
      expect(kindsOf(await cache.check())).toEqual([])
    },
  )

  it('answers every other verb after the whole directory has vanished', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = await filled(kind, directory)
    removeTree(directory)
    expect(typeof (await cache.delete(0, { retry: true }))).toBe('boolean')
    removeTree(directory)
    expect(['old 1', undefined]).toContain(await cache.pop(1, { retry: true }))
    removeTree(directory)
    expect(await cache.incr('count', 1, { retry: true })).toBe(1)
    removeTree(directory)
    expect(typeof (await cache.clear({ retry: true }))).toBe('number')
    removeTree(directory)
    await cache.check()
    await cache.stats()
    await cache.close()
  })

  it('ends a listing whose directory vanishes, and lists what is stored then', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = await filled(kind, directory)
    await cache.setMany(Array.from({ length: 500 }, (_, key) => [`many ${key}`, key] as const))
    const before: Key[] = []
    for await (const key of cache.keys()) {
      if (before.push(key) === 5) {
        removeTree(directory)
        await cache.set('fresh', 1, { retry: true })
      }
    }
    expect(before.length).toBeLessThan(500)
    expect(await collect(cache.keys())).toContain('fresh')
  })

  it('closes without a word when the directory has vanished', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = await filled(kind, directory)
    removeTree(directory)
    await cache.close()
    expect(await cache.get(0)).toBeUndefined()
    expect(await cache.set(0, 'again', { retry: true })).toBe(true)
    expect(await readElsewhere(kind, directory, [0])).toEqual(['again'])
  })

  it('loses no write of several processes for long after the directory has vanished', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const all = [0, 2]
    const users = all.map(mine => {
      return new FixtureProcess(USER, { kind, directory, options: optionsOf(kind), mine, all })
    })
    await Promise.all(users.map(user => user.line('seen')))
    removeInUse(directory)
    // Both count on in one new database: each sees the other's counter move.
    const floors = users.map(user => user.lines.length + 20)
    await expect.poll(() => users.map((user, index) => user.lines.length > (floors[index] ?? 0))).toEqual([true, true])
    for (const user of users) user.send('stop')
    await Promise.all(users.map(user => user.line('closed')))
    expect(users.flatMap(({ lines }) => lines.filter(line => /^(failed|quarantine)/.test(line)))).toEqual([])
    const seen = users.map(({ lines }) => JSON.parse(lines.at(-2)?.slice(5) ?? '[]') as number[])
    for (const counters of seen) expect(Math.min(...counters)).toBeGreaterThan(10)
    expect(await readElsewhere(kind, directory, all)).toEqual([expect.any(Number), expect.any(Number)])
  })
})

describe('a Cache', () => {
  it('does not take a deleted database for a damaged one', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = await filled('Cache', directory)
    removeDatabase(directory, ['', '-wal', '-shm'])
    const ended = await cache.set('k', 'v').catch((error: unknown) => error)
    expect(ended).not.toBeInstanceOf(CorruptError)
    expect(ended).toBe(true)
  })
})

/** Who uses a folder may put a file into it between the removal of the last one and its own. */
function removeInUse(directory: string): void {
  rmSync(directory, { recursive: true, maxRetries: 20, retryDelay: 5 })
}
