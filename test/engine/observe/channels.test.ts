import diagnostics_channel, { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Cache, type CacheDiagnostics, FanoutCache, type VerbTrace } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SlowClock } from '../../helpers/slow-clock.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

/** What one channel says, of all caches, until the test ends. */
function heard<N extends keyof CacheDiagnostics>(name: N): CacheDiagnostics[N][] {
  const messages: CacheDiagnostics[N][] = []
  const listener = (message: unknown) => messages.push(message as CacheDiagnostics[N])
  subscribe(name, listener)
  onTestFinished(() => void unsubscribe(name, listener))
  return messages
}

function opened(options = {}): FanoutCache {
  const cache = new FanoutCache(temporaryDirectory(), { shards: 2, ...options })
  onTestFinished(() => cache.close())
  return cache
}

const odd = { shard: 1 }
const even = { shard: 0 }

describe('the channels of node:diagnostics_channel', () => {
  it('tell what is asked for and stored, each with its key and shard', async () => {
    const gets = heard('fanout-cache:get')
    const sets = heard('fanout-cache:set')
    const cache = opened({ memory: {} })
    const about = { directory: cache.directory }
    await Promise.all([cache.set(2, 'a'), cache.set(1, 'b'), cache.setMany([[4, 'c']])])
    expect(sets.sort((a, b) => Number(a.key) - Number(b.key))).toEqual([
      { ...about, ...odd, key: 1 },
      { ...about, ...even, key: 2 },
      { ...about, ...even, key: 4 },
    ])
    await cache.get(2)
    await cache.get(2)
    await cache.get(3)
    expect(gets).toEqual([
      { ...about, ...even, key: 2, hit: true, source: 'database' },
      { ...about, ...even, key: 2, hit: true, source: 'memory' },
      { ...about, ...odd, key: 3, hit: false, source: 'database' },
    ])
  })

  it('tell commits with the writes that shared them, and how long they took', async () => {
    const commits = heard('fanout-cache:commit')
    const cache = opened({ shards: 1 })
    await cache.open()
    commits.length = 0
    await Promise.all(Array.from({ length: 50 }, (_, at) => cache.set(at, at)))
    await cache.transact(tx => tx.set('a', 1))
    const writes = commits.map(commit => commit.writes)
    // A busy machine may make two commits of the fifty writes.
    expect([writes.slice(0, -1).reduce((sum, one) => sum + one, 0), writes.at(-1)]).toEqual([50, 1])
    for (const { milliseconds, directory, shard } of commits) {
      expect(milliseconds).toBeGreaterThan(0)
      expect({ directory, shard }).toEqual({ directory: cache.directory, shard: 0 })
    }
  })

  it('tell several commits of writes that are many bytes, or take long', async () => {
    const commits = heard('fanout-cache:commit')
    const clock = new SlowClock()
    const cache = opened({ shards: 1, clock, disk: { minFileSize: 2 ** 24 } })
    await cache.open()
    const keys = Array.from({ length: 40 }, (_, key) => key)
    commits.length = 0
    await Promise.all(keys.map(key => cache.set(key, key < 12 ? 'x'.repeat(3 * 2 ** 20) : key)))
    // Of the twelve, three are more than 8 MiB.
    expect(commits.length).toBeGreaterThanOrEqual(4)
    commits.length = 0
    clock.isSlow = true
    await Promise.all(keys.map(key => cache.delete(key)))
    expect(commits.map(({ writes }) => writes)).toEqual([8, 8, 8, 8, 8])
  })

  it('tell one commit of the writes that follow those of one commit, some of them later than others', async () => {
    const commits = heard('fanout-cache:commit')
    const cache = opened({ shards: 1 })
    await cache.open()
    commits.length = 0
    // So few that no slow machine cuts them in two.
    const chains = Array.from({ length: 7 }, async (_, at) => {
      await cache.set(at, 'first')
      for (let hops = 0; hops < at; hops++) await undefined
      await cache.set(at, 'second')
    })
    await Promise.all(chains)
    expect(commits.map(({ writes }) => writes)).toEqual([7, 7])
  })

  it('tell waits for a lock when they are over, refusals and timeouts', async () => {
    const waits = heard('fanout-cache:lock-wait')
    const refused = heard('fanout-cache:refused')
    const timeouts = heard('fanout-cache:timeout')
    const cache = opened({ timeout: 10 })
    await cache.setMany([
      [0, 0],
      [1, 1],
    ])
    waits.length = 0
    const holder = new Database(join(cache.directory, '000', 'cache.db'))
    onTestFinished(() => void holder.close())
    holder.exec('BEGIN IMMEDIATE')
    const { directory } = cache
    expect(await cache.set(0, 1, { retry: false })).toBe(false)
    expect(waits).toEqual([{ directory, ...even, milliseconds: expect.any(Number), acquired: false }])
    expect(refused).toEqual([{ directory, key: 0, reason: 'timeout', error: expect.any(Error) }])
    expect(timeouts).toEqual([{ directory, key: 0 }])
    expect(await cache.transact(tx => tx.set(0, 1))).toBeUndefined()
    expect(waits.slice(1)).toEqual([{ directory, ...even, milliseconds: expect.any(Number), acquired: false }])
    const waiting = cache.set(0, 2)
    // The first attempt is made in the check phase of the loop.
    await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
    holder.exec('ROLLBACK')
    expect(await waiting).toBe(true)
    expect(waits.slice(2)).toEqual([{ directory, ...even, milliseconds: expect.any(Number), acquired: true }])
  })

  it('tell evictions, quarantines and computations', async () => {
    const evicted = heard('fanout-cache:evict')
    const computed = heard('fanout-cache:compute')
    const cache = opened({ shards: 1, maxItems: 1 })
    const { directory } = cache
    await cache.set('a', 1)
    const error = new Error('no')
    await cache.getOrSet('b', () => 1)
    await expect(cache.getOrSet('c', () => Promise.reject(error))).rejects.toBe(error)
    expect(evicted).toEqual([{ directory, key: 'a', size: 0, reason: 'items' }])
    const about = { directory, shard: 0, milliseconds: expect.any(Number) }
    expect(computed).toEqual([
      { ...about, key: 'b', outcome: 'stored' },
      { ...about, key: 'c', outcome: 'failed', error },
    ])
  })

  it('are those of both builds of the package', async () => {
    const sets = heard('fanout-cache:set')
    const required = createRequire(import.meta.url)('fanout-cache') as { Cache: typeof Cache }
    const cache = new required.Cache(temporaryDirectory())
    await cache.set('a', 1)
    await cache.close()
    expect(sets.map(({ key }) => key)).toEqual(['a'])
  })

  it('are silent, and forget who listened, when nobody listens any more', async () => {
    const cache = opened()
    const names = ['get', 'set', 'commit', 'lock-wait', 'refused', 'evict', 'timeout', 'quarantine', 'compute']
    const listener = () => expect.unreachable()
    // A collector of another test in this process may listen.
    const heard = (): string[] => names.filter(name => diagnostics_channel.hasSubscribers(`fanout-cache:${name}`))
    const before = heard()
    for (const name of names) subscribe(`fanout-cache:${name}`, listener)
    for (const name of names) unsubscribe(`fanout-cache:${name}`, listener)
    await cache.set('a', 1)
    await cache.get('a')
    expect(heard()).toEqual(before)
  })

  it('let a listener throw without harm to what the cache does', async () => {
    const thrown: unknown[] = []
    const known = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', error => thrown.push(error))
    onTestFinished(() => {
      process.removeAllListeners('uncaughtException')
      for (const listener of known) process.on('uncaughtException', listener)
    })
    const error = new Error('a listener')
    const fail = () => {
      throw error
    }
    const names = ['get', 'set', 'commit', 'evict', 'compute'] as const
    for (const name of names) subscribe(`fanout-cache:${name}`, fail)
    onTestFinished(() => {
      for (const name of names) unsubscribe(`fanout-cache:${name}`, fail)
    })
    const cache = opened({ shards: 1, maxItems: 2 })
    expect(await Promise.all([cache.set('a', 1), cache.set('b', 2)])).toEqual([true, true])
    expect(await cache.getOrSet('c', () => 3)).toBe(3)
    expect(await cache.getMany(['b', 'c'])).toEqual([2, 3])
    await expect.poll(() => thrown.length).toBeGreaterThanOrEqual(6)
    expect(new Set(thrown)).toEqual(new Set([error]))
    expect(await cache.check()).toEqual([])
  })
})

describe('the tracing channel of verbs', () => {
  /** The events of all verbs while `during` runs. */
  async function traced(during: () => Promise<unknown>): Promise<[string, VerbTrace][]> {
    const events: [string, VerbTrace][] = []
    const note = (event: string) => (trace: unknown) => void events.push([event, { ...(trace as VerbTrace) }])
    const listeners = {
      start: note('start'),
      end: note('end'),
      asyncStart: note('asyncStart'),
      asyncEnd: note('asyncEnd'),
      error: note('error'),
    }
    const channel = tracingChannel<unknown, VerbTrace>('fanout-cache:verb')
    channel.subscribe(listeners)
    try {
      await during()
    } finally {
      channel.unsubscribe(listeners)
    }
    return events
  }

  it('goes round each call with its verb, key and answer', async () => {
    const cache = opened()
    await cache.open()
    const { directory } = cache
    const events = await traced(async () => {
      await cache.set('a', 1)
      await cache.namespace('n').get('a')
    })
    const set = { directory, verb: 'set', key: 'a' }
    const get = { directory, verb: 'get', key: 'n:1:a' }
    expect(events).toEqual([
      ['start', set],
      ['end', set],
      ['asyncStart', { ...set, result: true }],
      ['asyncEnd', { ...set, result: true }],
      ['start', get],
      ['end', get],
      ['asyncStart', { ...get, result: undefined }],
      ['asyncEnd', { ...get, result: undefined }],
    ])
    await cache.get('a')
    expect(events).toHaveLength(8)
  })

  it('tells errors, of misuse too, which reach the caller as they do without it', async () => {
    const cache = new Cache(temporaryDirectory(), { sizeLimit: 2 ** 20 })
    onTestFinished(() => cache.close())
    const events = await traced(async () => {
      await expect(cache.set('a', Buffer.alloc(2 ** 21))).rejects.toThrow('larger than')
      await expect(cache.get('a', { timeuot: 1 } as object)).rejects.toThrow('timeout')
      await expect(cache.incr('a', 0.5 as never, { default: 'x' as never })).rejects.toThrow()
      await expect(cache.getOrSet('b', 1 as never)).rejects.toThrow('function')
    })
    expect(events.filter(([event]) => event === 'error').map(([, { verb }]) => verb)).toEqual([
      'set',
      'get',
      'incr',
      'getOrSet',
    ])
  })

  it('is there for every verb that answers a promise', async () => {
    const cache = new Cache(temporaryDirectory())
    onTestFinished(() => cache.close())
    const calls: Record<string, () => Promise<unknown>> = {
      get: () => cache.get('a'),
      getItem: () => cache.getItem('a'),
      info: () => cache.info('a'),
      read: () => cache.read('a'),
      has: () => cache.has('a'),
      getMany: () => cache.getMany(['a']),
      set: () => cache.set('a', 1),
      add: () => cache.add('a', 1),
      getOrSet: () => cache.getOrSet('a', () => 1),
      setMany: () => cache.setMany([]),
      touch: () => cache.touch('a', { ttl: 1 }),
      delete: () => cache.delete('a'),
      deleteMany: () => cache.deleteMany(['a']),
      pop: () => cache.pop('a'),
      popItem: () => cache.popItem('a'),
      incr: () => cache.incr('n'),
      decr: () => cache.decr('n'),
      count: () => cache.count(),
      volume: () => cache.volume(),
      expire: () => cache.expire(),
      evict: () => cache.evict('t'),
      cull: () => cache.cull(),
      clear: () => cache.clear(),
      check: () => cache.check(),
      stats: () => cache.stats(),
      settings: () => cache.settings(),
      configure: () => cache.configure({}),
      transact: () => cache.transact(() => 1),
      push: () => cache.push(1),
      pull: () => cache.pull(),
      peek: () => cache.peek(),
      peekItem: () => cache.peekItem(),
    }
    const events = await traced(async () => {
      for (const call of Object.values(calls)) await call()
    })
    expect(events.filter(([event]) => event === 'asyncEnd').map(([, { verb }]) => verb)).toEqual(Object.keys(calls))
  })
})
