import { renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Cache, FanoutCache, Lock, type Tag, TimeoutError } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { overwriteAll } from '../../faults/support/damage.js'
import { ManualClock } from '../../helpers/manual-clock.js'
import { rawDatabase } from '../../helpers/raw-database.js'
import { removeTree, temporaryDirectory } from '../../helpers/temp-directory.js'
import { figures, forgetful, hitsOf, nextTurn, remembering, rememberingShards, Stranger } from './support.js'

/** Too large to be compared together with its value. */
const LARGE = 'x'.repeat(5000)

describe('memory and others who write', () => {
  it('answers a second get without the database', async () => {
    const cache = await remembering()
    await cache.set('a', 1)
    expect(await cache.get('a')).toBe(1)
    expect(await hitsOf(cache, async () => expect(await cache.get('a')).toBe(1))).toBe(1)
    expect(await figures(cache)).toMatchObject({ misses: 1, count: 1, evictions: 0 })
  })

  it('sees in the next turn of the loop what another connection has written, added and deleted', async () => {
    const cache = await remembering()
    const stranger = new Stranger(cache.directory)
    await cache.set('a', 'old')
    await cache.set('gone', 'old')
    for (let again = 0; again < 3; again++) {
      expect(await cache.getMany(['a', 'gone', 'new'])).toEqual(['old', 'old', undefined])
    }
    stranger.set('a', 'new')
    stranger.delete('gone')
    stranger.insert('new', 'here')
    await nextTurn()
    expect(await cache.getMany(['a', 'gone', 'new'])).toEqual(['new', undefined, 'here'])
  })

  it('goes on with what nobody has written when others write elsewhere', async () => {
    const cache = await remembering()
    const stranger = new Stranger(cache.directory)
    await cache.setMany([
      ['a', 1],
      ['b', 1],
    ])
    await cache.get('a')
    stranger.set('b', 2)
    await nextTurn()
    expect(await hitsOf(cache, async () => expect(await cache.get('a')).toBe(1))).toBe(1)
  })

  it.each([
    ['small', 'old', 'new'],
    ['large', LARGE, LARGE.replace('x', 'y')],
  ])('sees a %s value that others store in the millisecond of the removed one', async (_, before, after) => {
    const clock = new ManualClock()
    const cache = await remembering({}, { clock })
    const stranger = new Stranger(cache.directory)
    await cache.set('a', before)
    expect(await cache.get('a')).toBe(before)
    stranger.replace('a', after)
    await nextTurn()
    expect(await cache.get('a')).toBe(after)
  })

  it.each(['copy', 'frozen'] as const)('answers from memory in the millisecond of a store (%s)', async mode => {
    const cache = await remembering({ mode }, { clock: new ManualClock() })
    const stranger = new Stranger(cache.directory)
    await cache.set('a', { list: [1] })
    await cache.set('b', 1)
    await cache.get('a')
    stranger.set('b', 2)
    await nextTurn()
    expect(await hitsOf(cache, async () => expect(await cache.get('a')).toEqual({ list: [1] }))).toBe(1)
  })

  it('has one turn of the loop in which others are not asked again, and no more', async () => {
    const cache = await remembering()
    const stranger = new Stranger(cache.directory)
    await cache.set('a', 'old')
    await cache.get('a')
    await nextTurn()
    expect(await cache.get('a')).toBe('old')
    stranger.set('a', 'new')
    expect(await cache.get('a')).toBe('old')
    await nextTurn()
    expect(await cache.get('a')).toBe('new')
  })

  it('ends the turn also where nothing but awaited hits keeps the loop', async () => {
    const cache = await remembering()
    const stranger = new Stranger(cache.directory)
    await cache.set('a', 'old')
    await cache.get('a')
    const written = new Promise<void>(resolve => {
      setTimeout(() => {
        stranger.set('a', 'new')
        resolve()
      }, 5)
    })
    while ((await cache.get('a')) === 'old');
    await written
    expect(await cache.get('a')).toBe('new')
  })

  it.each(['getItem', 'info', 'has', 'transact'] as const)('shows nothing older than what %s has shown', async verb => {
    const cache = await remembering()
    const stranger = new Stranger(cache.directory)
    await cache.set('a', 'old')
    await cache.set('b', 'old')
    await cache.getMany(['a', 'b'])
    await nextTurn()
    await cache.getMany(['a', 'b'])
    stranger.set('a', 'new')
    stranger.insert('c', 'new')
    if (verb === 'transact') expect(await cache.transact(tx => tx.get('a'))).toBe('new')
    else if (verb === 'has') expect(await cache.has('c')).toBe(true)
    else expect(await cache[verb](verb === 'info' ? 'c' : 'a')).toBeDefined()
    expect(await cache.get('a')).toBe('new')
  })

  // A small value is read anew with its version; a large one, and one that is gone, are not.
  it.each([
    ['a new value', (stranger: Stranger) => stranger.set('a', 'new'), 'new'],
    ['a large new value', (stranger: Stranger) => stranger.set('a', LARGE), LARGE],
    ['that an entry is gone', (stranger: Stranger) => stranger.delete('a'), undefined],
  ])('shows nothing older than %s that it has met in the same turn', async (_what, write, expected) => {
    const cache = await remembering()
    const stranger = new Stranger(cache.directory)
    await cache.setMany([
      ['a', _what === 'a large new value' ? `${LARGE}, once` : 'old'],
      ['b', 'old'],
    ])
    await cache.getMany(['a', 'b'])
    // Any row may have changed: each is compared when it is wanted.
    await cache.transact(tx => tx.set('c', 1))
    expect(await cache.get('b')).toBe('old')
    stranger.set('b', 'new')
    write(stranger)
    expect(await cache.get('a')).toBe(expected)
    expect(await cache.get('b')).toBe('new')
  })

  it('shows nothing older in one getMany than that an entry before it is gone', async () => {
    const cache = await remembering()
    const stranger = new Stranger(cache.directory)
    await cache.setMany([
      ['a', 'old'],
      ['b', 'old'],
    ])
    await cache.getMany(['a', 'b'])
    // Any row may have changed: each is compared when it is wanted.
    await cache.transact(tx => tx.set('c', 1))
    expect(await cache.get('b')).toBe('old')
    stranger.set('b', 'new')
    stranger.delete('a')
    expect(await cache.getMany(['a', 'b'])).toEqual([undefined, 'new'])
  })

  it('sees a new end of an entry whose value nobody has changed', async () => {
    const clock = new ManualClock()
    const cache = await remembering({}, { clock })
    await cache.set('a', 'value', { ttl: '1h' })
    expect(await cache.get('a')).toBe('value')
    // As touch of Python's diskcache does it.
    rawDatabase(cache.directory).prepare('UPDATE Cache SET expire_time = store_time + 60').run()
    await nextTurn()
    expect(await cache.get('a')).toBe('value')
    clock.advance(61_000)
    expect(await cache.get('a')).toBeUndefined()
  })

  it('shows what a transaction has shown that was rolled back', async () => {
    const cache = await remembering()
    const stranger = new Stranger(cache.directory)
    await cache.set('a', 'old')
    await cache.get('a')
    stranger.set('a', 'new')
    let seen: unknown
    const body = (tx: { get(key: string): unknown }): never => {
      seen = tx.get('a')
      throw new Error('undo')
    }
    await expect(cache.transact(body)).rejects.toThrow('undo')
    expect([seen, await cache.get('a')]).toEqual(['new', 'new'])
  })

  it('shows the first of two writes to whoever has seen the second, in whatever shards they are', async () => {
    const shards = 4
    const cache = await rememberingShards(shards)
    const other = await rememberingShards(shards, {}, cache.directory)
    expect(other.directory).toBe(cache.directory)
    const keys = Array.from({ length: 16 }, (_, at) => `key ${at}`)
    await cache.setMany(keys.map(key => [key, 'old'] as const))
    const strangers = Array.from({ length: shards }, (_, at) => new Stranger(`${cache.directory}/00${at}`))
    const write = (key: string, value: string): void => {
      for (const stranger of strangers) stranger.set(key, value)
    }
    for (const [at, second] of keys.entries()) {
      await nextTurn()
      const first = keys[(at + 5) % keys.length] as string
      const value = `${at}`
      await cache.get(first)
      write(first, value)
      write(second, value)
      if ((await cache.get(second)) === value) expect(await cache.get(first)).toBe(value)
    }
  })

  it('shows to the holder of a Lock what the holder before has written', async () => {
    const cache = await rememberingShards(4)
    const strangers = Array.from({ length: 4 }, (_, at) => new Stranger(`${cache.directory}/00${at}`))
    const lock = new Lock(cache, 'lock', { allowEviction: true })
    for (let round = 0; round < 8; round++) {
      const key = `guarded ${round}`
      await cache.set(key, 'old')
      await cache.get(key)
      const acquiring = lock.acquire()
      // In the same turn: somebody else had the lock until now, and wrote.
      await cache.get(key)
      for (const stranger of strangers) stranger.set(key, 'new')
      for (const stranger of strangers) stranger.insert(`released ${round}`, 1)
      const lease = await acquiring
      expect(await cache.get(key)).toBe('new')
      await lease.release()
    }
  })
})

describe('memory and a database that is gone', () => {
  it('takes no entry for one of the database that came in its place', async () => {
    const clock = new ManualClock()
    const cache = await remembering({}, { clock })
    // The same row of the same version, with another value.
    const other = await remembering({}, { clock })
    await cache.set('a', 'old')
    await other.set('a', 'new')
    await other.close()
    expect([await cache.get('a'), await cache.get('a')]).toEqual(['old', 'old'])
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(cache.directory, `cache.db${suffix}`), { force: true })
    renameSync(join(other.directory, 'cache.db'), join(cache.directory, 'cache.db'))
    await expect.poll(() => cache.set('b', 1).then(() => cache.get('a'))).toBe('new')
  })

  // SQLite counts the writes of others from one number on for each connection.
  it.each([1, 2, 3])(
    'sees what others write to the one in its place, after %d writes to the one before',
    async count => {
      const cache = await remembering()
      const before = new Stranger(cache.directory)
      await cache.set('a', 'old')
      for (let again = 0; again < 2; again++) await cache.get('a')
      for (let writes = 1; writes <= count; writes++) {
        before.set('a', writes)
        await nextTurn()
        expect(await cache.get('a')).toBe(writes)
      }
      removeTree(cache.directory)
      await expect.poll(() => cache.set('b', 'old').then(() => cache.getItem('a'))).toBeUndefined()
      const after = new Stranger(cache.directory)
      expect(await cache.get('b')).toBe('old')
      after.set('b', 'new')
      await nextTurn()
      expect(await cache.get('b')).toBe('new')
    },
  )

  it('forgets what was in a directory that was removed', async () => {
    const cache = await remembering({ mode: 'frozen' })
    await cache.set('a', { n: 1 })
    await cache.get('a')
    removeTree(cache.directory)
    await expect.poll(() => cache.set('b', 1).then(() => cache.get('a'))).toBeUndefined()
    expect(await cache.get('b')).toBe(1)
  })

  it.each([{}, { mode: 'frozen' }] as const)(
    'forgets what a quarantine has moved aside, with memory %j',
    async memory => {
      const cache = await remembering(memory, { onCorrupt: 'quarantine', sqlite: { cacheSize: 10 } })
      await cache.setMany(Array.from({ length: 200 }, (_, at) => [`key ${at}`, { at, text: 'x'.repeat(500) }] as const))
      const keys = Array.from({ length: 200 }, (_, at) => `key ${at}`)
      await cache.getMany(keys)
      const told = new Promise(resolve => cache.once('quarantine', resolve))
      overwriteAll(join(cache.directory, 'cache.db'))
      // Memory has all of it; who reads the database finds out.
      await Promise.all(keys.map(key => cache.getItem(key)))
      await told
      expect(await cache.getMany(keys)).toEqual(keys.map(() => undefined))
    },
  )
})

describe('memory and own writes', () => {
  const TAG: Tag = 'red'
  const writes: Readonly<Record<string, (cache: Cache, clock: ManualClock) => Promise<unknown>>> = {
    'set()': cache => cache.set('a', 2),
    'set() of a file': cache => cache.set('a', 'F'.repeat(40_000)),
    'set() of a value that expires': (cache, clock) => cache.set('a', 2, { ttl: 10 }).then(() => clock.advance(10)),
    'setMany()': cache =>
      cache.setMany([
        ['a', 2],
        ['b', 3],
      ]),
    'add() of a missing key': cache => cache.add('missing', 2),
    'incr()': cache => cache.incr('a'),
    'touch()': (cache, clock) => cache.touch('a', { ttl: 10 }).then(() => clock.advance(10)),
    'delete()': cache => cache.delete('a'),
    'deleteMany()': cache => cache.deleteMany(['a']),
    'pop()': cache => cache.pop('a'),
    'evict()': cache => cache.evict(TAG),
    'clear()': cache => cache.clear(),
    'expire()': (cache, clock) => cache.expire({ now: clock.now() + 1e9 }),
    'transact()': cache => cache.transact(tx => tx.set('a', 2) && tx.delete('b') && tx.set('missing', 1)),
    'transact() of one key': cache => cache.transact(tx => tx.incr('a'), { keys: ['a'] }),
    'push()': cache => cache.push('next'),
    'pull()': cache => cache.pull(),
    'a cull on write': async cache => {
      await cache.configure({ maxItems: 3 })
      await cache.setMany([1, 2, 3].map(key => [key, key] as const))
    },
    'cull()': async cache => {
      await cache.configure({ maxItems: 1, cullLimit: 0 })
      await cache.cull()
    },
    'getOrSet() of a missing key': cache => cache.getOrSet('missing', () => 'made'),
  }
  const KEYS = ['a', 'b', 'missing', 500_000_000_000_000, 500_000_000_000_001]

  it.each(Object.keys(writes))('a get after %s sees it', async name => {
    const clock = new ManualClock()
    const cache = await remembering({}, { clock })
    const plain = forgetful(cache)
    await cache.set('a', 1, { tag: TAG, ttl: '1d' })
    await cache.set('b', 1, { tag: 'blue' })
    await cache.push('first')
    for (let again = 0; again < 3; again++) await cache.getMany(KEYS)
    clock.advance(1)
    await writes[name]?.(cache, clock)
    const seen = await cache.getMany(KEYS)
    expect(seen).toEqual(await plain.getMany(KEYS))
    expect(await cache.getMany(KEYS)).toEqual(seen)
    expect(await Promise.all(KEYS.map(key => cache.has(key)))).toEqual(seen.map(value => value !== undefined))
  })

  it.each([1, 2])('a transaction over %d databases brings back nothing that others have just removed', async shards => {
    const clock = new ManualClock()
    const directory = temporaryDirectory()
    const cache = new FanoutCache(directory, { memory: {}, shards, clock })
    onTestFinished(() => cache.close())
    await cache.set('b', 'old')
    expect(await cache.get('b')).toBe('old')
    for (const shard of ['000', '001'].slice(0, shards)) new Stranger(join(directory, shard)).delete('b')
    await cache.transact(tx => tx.set('b', 'new'))
    expect(await cache.get('b')).toBe('new')
  })

  it('answers from memory again after a transaction over several databases', async () => {
    const cache = new FanoutCache(temporaryDirectory(), { memory: {}, shards: 2 })
    onTestFinished(() => cache.close())
    await cache.transact(tx => tx.set('a', 1))
    await cache.get('a')
    const before = (await cache.stats()).memory?.hits ?? 0
    expect(await cache.get('a')).toBe(1)
    expect((await cache.stats()).memory?.hits).toBe(before + 1)
  })

  it('sees the writes of a handle without memory', async () => {
    const cache = await remembering()
    const plain = forgetful(cache)
    await plain.set('a', 1)
    await cache.get('a')
    await plain.set('a', 2)
    expect(await cache.get('a')).toBe(2)
  })

  it('keeps its place among writes that were called and are not awaited', async () => {
    const cache = await remembering()
    await cache.set('a', 0)
    await cache.get('a')
    const answers = [cache.get('a'), cache.incr('a'), cache.get('a'), cache.delete('a'), cache.get('a'), cache.has('a')]
    expect(await Promise.all(answers)).toEqual([0, 1, 1, true, undefined, false])
  })

  it('keeps nothing of a write that was rolled back', async () => {
    const cache = await remembering()
    await cache.set('a', 'old')
    const failed = cache.transact(tx => {
      tx.set('a', 'new')
      throw new Error('undo')
    })
    const read = cache.get('a')
    await expect(failed).rejects.toThrow('undo')
    expect([await read, await cache.get('a')]).toEqual(['old', 'old'])
  })

  it('keeps nothing of a COMMIT that failed', async () => {
    const cache = await remembering({}, { sqlite: { journalMode: 'delete' } })
    await cache.set('a', 'old')
    // Who reads holds up the COMMIT of a rollback journal.
    const reading = rawDatabase(cache.directory).prepare('SELECT key FROM Cache').iterate()
    reading.next()
    const refused = cache.set('a', 'new', { timeout: 30 })
    const read = cache.get('a')
    await expect(refused).rejects.toThrow(TimeoutError)
    reading.return?.()
    expect(await read).toBe('old')
    expect([await cache.get('a'), await cache.get('a')]).toEqual(['old', 'old'])
  })

  it('sees what a write of another key has evicted', async () => {
    const cache = await remembering({}, { maxItems: 2 })
    for (const key of ['a', 'b', 'c', 'd']) {
      await cache.set(key, key)
      await cache.getMany(['a', 'b', 'c', 'd'])
    }
    expect(await cache.getMany(['a', 'b', 'c', 'd'])).toEqual([undefined, undefined, 'c', 'd'])
  })

  it('answers a listener of evict with what is there', async () => {
    const cache = await remembering({}, { maxItems: 1 })
    await cache.set('old', 1)
    await cache.get('old')
    const told = new Promise(resolve => {
      cache.on('evict', ({ key }) => resolve(cache.get(key)))
    })
    await cache.set('new', 2)
    expect(await told).toBeUndefined()
  })

  it('tells getOrSet whether a value is stale', async () => {
    const clock = new ManualClock()
    const cache = await remembering({}, { clock })
    let made = 0
    const get = (): Promise<number> => cache.getOrSet('a', () => ++made, { ttl: 1000, staleFor: '1h' })
    expect([await get(), await get(), await get()]).toEqual([1, 1, 1])
    expect(await hitsOf(cache, get)).toBe(1)
    clock.advance(1000)
    expect(await get()).toBe(1)
    await expect.poll(get).toBe(2)
  })
})
