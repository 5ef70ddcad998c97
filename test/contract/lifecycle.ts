import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { isAbsolute, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { LARGE, type Subject } from './subjects.js'

/** Opening, closing, sharing and events. */
export function lifecycleSuite(subject: Subject): void {
  describe('opening and closing', () => {
    opening(subject)
    closing(subject)
    sharing(subject)
    events(subject)
  })
}

function opening(subject: Subject): void {
  it('open() returns the cache, also the second time', async () => {
    const cache = subject.make()
    expect(await cache.open()).toBe(cache)
    expect(await cache.open()).toBe(cache)
  })

  it('the constructor makes no directory, the first verb does', async () => {
    const cache = subject.make({}, join(temporaryDirectory(), 'deep', 'below'))
    expect(existsSync(cache.directory)).toBe(false)
    await cache.set('key', 1)
    expect(existsSync(cache.directory)).toBe(true)
  })

  it('directory is an absolute path', () => {
    const directory = temporaryDirectory()
    const cache = subject.make({}, relative(process.cwd(), directory))
    expect(isAbsolute(cache.directory)).toBe(true)
    expect(cache.directory).toBe(directory)
  })

  it('directory may be a file URL, for the same place as its path', async () => {
    const directory = join(temporaryDirectory(), 'with space, ü, % and #')
    const cache = subject.make({}, pathToFileURL(directory))
    expect(cache.directory).toBe(directory)
    await cache.set('key', 1)
    expect(await subject.make({}, directory).get('key')).toBe(1)
  })

  it('first verbs that are called together share one opening', async () => {
    const cache = subject.make()
    const answers = await Promise.all([cache.set('a', 1), cache.get('a'), cache.open(), cache.has('a')])
    expect(answers.map(answer => (answer === cache ? 'the cache' : answer))).toEqual([true, 1, 'the cache', true])
  })
}

function closing(subject: Subject): void {
  it('close() twice is harmless, and so is close() before any verb', async () => {
    const cache = subject.make()
    await cache.close()
    await cache.set('key', 1)
    await Promise.all([cache.close(), cache.close()])
    await cache.close()
    expect(await cache.get('key')).toBe(1)
  })

  it('close() waits for the writes that were called before', async () => {
    const cache = subject.make()
    const writes = Array.from({ length: 50 }, (_, key) => cache.set(key, key % 10 ? key : LARGE))
    await cache.close()
    expect(await Promise.all(writes)).toEqual(writes.map(() => true))
    expect(await cache.count()).toBe(50)
  })

  it.each([['opens'], ['is open'], ['is open twice']])(
    'close() waits for all kinds of verbs, when it %s',
    async when => {
      const cache = subject.make()
      if (when !== 'opens') await cache.open()
      if (when === 'is open twice') await subject.make({}, cache.directory).open()
      const verbs = {
        body: cache.transact(tx => tx.set('body', 1) && tx.set(['composite', 1], LARGE)),
        keys: cache.transact(tx => tx.incr('count'), { keys: ['count'] }),
        setMany: cache.setMany([['many', 1]]),
        culled: cache.cull(),
        expired: cache.expire(),
        found: cache.check(),
        counted: cache.stats().then(({ misses }) => misses),
        indexed: cache.createTagIndex(),
        limit: cache.configure({ cullLimit: 7 }).then(({ cullLimit }) => cullLimit),
      }
      await cache.close()
      const [answers, names] = [await Promise.all(Object.values(verbs)), Object.keys(verbs)]
      expect(Object.fromEntries(names.map((name, at) => [name, answers[at]]))).toEqual({
        ...{ body: true, keys: 1, setMany: [true], culled: 0, expired: 0, found: [], counted: 0 },
        ...{ indexed: undefined, limit: 7 },
      })
      expect(await cache.getMany(['body', ['composite', 1], 'count', 'many'])).toEqual([1, LARGE, 1, 1])
      expect(await cache.settings()).toMatchObject({ tagIndex: true, cullLimit: 7 })
    },
  )

  it('close() of one of two caches does not wait for what the other one goes on writing', async () => {
    const first = subject.make()
    const second = subject.make({}, first.directory)
    await Promise.all([first.open(), second.open()])
    let writes = 0
    let stopped = false
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      while (!stopped && writes < 3000) await second.set(`${writer} ${writes++ % 5}`, LARGE)
    })
    const own = first.set('own', LARGE)
    await first.close()
    stopped = true
    await Promise.all(writers)
    expect(writes).toBeLessThan(3000)
    expect(await own).toBe(true)
  })

  it('close() lets the reads that were called before end, and leaves no connection behind', async () => {
    const cache = subject.make()
    await cache.setMany([
      ['inline', 1],
      ['file', LARGE],
    ])
    // So many that they give way to other work before all are done.
    const reads = Array.from({ length: 3000 }, (_, at) => [cache.get('inline'), cache.getItem(at), cache.has('file')])
    await cache.close()
    expect(await Promise.all(reads.flat())).toEqual(reads.flatMap(() => [1, undefined, true]))
    const names = readdirSync(cache.directory, { recursive: true, encoding: 'utf8' })
    // SQLite removes its side files when the last connection closes.
    expect(names.filter(name => name.endsWith('-wal'))).toEqual([])
  })

  it('close() lets a getMany() of many keys end that was called before', async () => {
    const cache = subject.make()
    await cache.setMany(Array.from({ length: 5000 }, (_, key) => [key, key] as const))
    const reading = cache.getMany(Array.from({ length: 5000 }, (_, key) => key))
    await cache.close()
    expect(await reading).toEqual(Array.from({ length: 5000 }, (_, key) => key))
  })

  it('a listing that is continued after close() rejects, and opens nothing', async () => {
    const cache = subject.make()
    await cache.setMany(Array.from({ length: 500 }, (_, key) => [key, key] as const))
    const listings = [cache.keys(), cache.entries(), cache.keys({ reverse: true })].map(listing =>
      listing[Symbol.asyncIterator](),
    )
    for (const listing of listings) expect((await listing.next()).done).toBe(false)
    await cache.close()
    for (const listing of listings) {
      await expect(exhaust(listing)).rejects.toThrow(/was closed meanwhile/)
    }
    const names = readdirSync(cache.directory, { recursive: true, encoding: 'utf8' })
    expect(names.filter(name => name.endsWith('-wal'))).toEqual([])
  })

  it('a read that is under way at close() opens nothing afterwards', async () => {
    const cache = subject.make()
    await cache.set('file', LARGE, { file: true })
    const { path = '' } = (await cache.info('file')) ?? {}
    rmSync(join(cache.directory, path))
    // It looks for the file a second time, when the database may be closed already.
    const reading = cache.get('file').catch(String)
    await cache.close()
    expect(['undefined', expect.stringMatching(/was closed meanwhile/)]).toContainEqual(String(await reading))
    const names = readdirSync(cache.directory, { recursive: true, encoding: 'utf8' })
    expect(names.filter(name => name.endsWith('-wal'))).toEqual([])
  })

  it('a verb after close() opens again', async () => {
    const cache = subject.make()
    await cache.set('key', LARGE)
    await cache.close()
    expect(await cache.get('key')).toBe(LARGE)
    await cache.close()
    expect(await cache.set('key', 2)).toBe(true)
  })

  it('dispose closes', async () => {
    const cache = subject.make()
    await cache.set('key', 1)
    await cache[Symbol.asyncDispose]()
    // SQLite removes its side files when the last connection closes.
    expect(existsSync(join(cache.directory, 'cache.db-wal'))).toBe(false)
    expect(existsSync(join(cache.directory, '000', 'cache.db-wal'))).toBe(false)
  })
}

function sharing(subject: Subject): void {
  it("two caches of one directory see each other's writes", async () => {
    const first = subject.make()
    const second = subject.make({}, first.directory)
    await first.set('a', 1)
    expect(await second.get('a')).toBe(1)
    await second.set('b', LARGE)
    expect(await first.get('b')).toBe(LARGE)
    await first.close()
    expect(await second.getMany(['a', 'b'])).toEqual([1, LARGE])
  })

  it('two caches of one directory with differing options are a RangeError that names them', async () => {
    const first = subject.make({ cullLimit: 5 })
    await first.set('key', 1)
    const differing = async () => subject.make({ cullLimit: 6 }, first.directory).get('key')
    await expect(differing()).rejects.toThrow(RangeError)
    await expect(differing()).rejects.toThrow(/cullLimit/)
  })

  it('a cache that is given no codec has that of the one which is open on its directory', async () => {
    const cache = subject.make()
    const Kind = cache.constructor as new (directory: string) => typeof cache
    const early = new Kind(cache.directory)
    await cache.setMany(['early', 'late'].map(key => [[key, 1], { of: 'cache' }] as const))
    const late = new Kind(cache.directory)
    for (const [name, other] of Object.entries({ early, late })) {
      expect(await other.get([name, 1]), name).toEqual({ of: 'cache' })
      await other.set([name, 1], { of: name })
      await other.set(name, [name])
      expect(await cache.getMany([[name, 1], name])).toEqual([{ of: name }, [name]])
      await other.close()
    }
    expect(await cache.count()).toBe(4)
  })

  it('two caches of one directory may say the same in other words, or what holds anyhow', async () => {
    const first = subject.make({ timeout: '1m', defaultTtl: '1h', disk: { unlinkGrace: '5s' }, maxItems: 50 })
    await first.set('key', 1)
    for (const same of [
      { timeout: 60_000, defaultTtl: 3_600_000, disk: { unlinkGrace: 5000 }, maxItems: 50 },
      { disk: { directoryMode: 0o700, fileMode: 0o600 }, maxPending: { count: 250_000 }, sqlite: { mmapSize: 0 } },
      { sizeLimit: (await first.settings()).sizeLimit, cullLimit: 10, readonly: false },
    ]) {
      const second = subject.make(same, first.directory)
      expect(await second.get('key')).toBe(1)
      await second.close()
    }
    await first.close()
    const heir = subject.make({}, first.directory)
    await heir.set('key', 2)
    expect(await subject.make({ defaultTtl: null, maxItems: 50 }, first.directory).get('key')).toBe(2)
    const differing = async () => subject.make({ maxItems: 51, disk: { unlinkGrace: 0 } }, first.directory).get('key')
    await expect(differing()).rejects.toThrow(/maxItems, disk.unlinkGrace/)
  })

  it('a copy of the directory is a cache', async () => {
    const cache = subject.make()
    await cache.setMany([
      ['text', 'a'],
      ['file', LARGE],
      [7, { a: 1 }],
    ])
    await cache.close()
    const copied = join(temporaryDirectory(), 'copy')
    cpSync(cache.directory, copied, { recursive: true })
    const copy = subject.make({}, copied)
    expect(await copy.getMany(['text', 'file', 7])).toEqual(['a', LARGE, { a: 1 }])
    expect(await copy.check()).toEqual([])
  })
}

function events(subject: Subject): void {
  it('on(), once() and off() return the cache', () => {
    const cache = subject.make()
    const listener = () => {}
    expect(cache.on('evict', listener)).toBe(cache)
    expect(cache.off('evict', listener)).toBe(cache)
    expect(cache.once('error', listener)).toBe(cache)
  })

  it('on(), once() and off() refuse an event that does not exist, and name the nearest', () => {
    const cache = subject.make()
    for (const verb of ['on', 'once', 'off'] as const) {
      expect(() => cache[verb]('evicted' as 'evict', () => {})).toThrow(
        new TypeError("unknown event 'evicted'; did you mean evict?"),
      )
      expect(() => cache[verb]('x'.repeat(9) as 'evict', () => {})).toThrow(
        /known are evict, refused, timeout, error, quarantine/,
      )
    }
  })

  it('evict is emitted for every item that goes to stay under maxItems', async () => {
    const cache = subject.make({ maxItems: 6 })
    const evicted: unknown[] = []
    cache.on('evict', ({ key, reason }) => evicted.push([key, reason]))
    for (let key = 0; key < 20; key += 1) await cache.set(`key ${key}`, key)
    const count = await cache.count()
    expect(count).toBeLessThanOrEqual(6)
    expect(evicted).toHaveLength(20 - count)
    for (const [key, reason] of evicted as [string, string][]) {
      expect(reason).toBe('items')
      expect(await cache.has(key)).toBe(false)
    }
    expect((await cache.stats()).evictions).toBe(20 - count)
  })

  it('evict is not emitted for what is deleted, cleared or has expired', async () => {
    const cache = subject.make()
    const evicted: unknown[] = []
    cache.on('evict', payload => evicted.push(payload))
    await cache.set('a', 1, { ttl: 0 })
    await cache.set('b', 1, { tag: 'red' })
    await cache.set('c', 1)
    await cache.expire()
    await cache.evict('red')
    await cache.clear()
    expect(evicted).toEqual([])
  })

  it('off() ends the calls of a listener, once() after the first', async () => {
    const cache = subject.make({ maxItems: 3 })
    let calls = 0
    let first = 0
    const listener = () => {
      calls += 1
    }
    cache.on('evict', listener).once('evict', () => {
      first += 1
    })
    for (let key = 0; key < 10; key += 1) await cache.set(key, key)
    expect(calls).toBeGreaterThan(1)
    expect(first).toBe(1)
    cache.off('evict', listener)
    const before = calls
    for (let key = 10; key < 20; key += 1) await cache.set(key, key)
    expect(calls).toBe(before)
  })
}

async function exhaust(listing: AsyncIterator<unknown>): Promise<void> {
  while (!(await listing.next()).done);
}
