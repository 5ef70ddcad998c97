import {
  type Acquiring,
  BoundedSemaphore,
  type CacheLike,
  type DiskCache,
  type EvictionPolicy,
  type Key,
  Lock,
  type LockOptions,
  ReadonlyError,
  RLock,
} from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { expectAllMisuse, type Misuse } from '../misuse.js'
import { elsewhere, held, KINDS, rejection } from './lock-support.js'

type Make = (cache: CacheLike, key: Key, options?: LockOptions) => Lock | RLock | BoundedSemaphore

const LOCKS: readonly (readonly [name: string, make: Make])[] = [
  ['Lock', (...args) => new Lock(...args)],
  ['RLock', (...args) => new RLock(...args)],
  ['BoundedSemaphore', (...args) => new BoundedSemaphore(...args)],
]

describe.each(LOCKS)('a %s', (name, make) => {
  describe.each(KINDS)('over a %s', (_kind, open) => {
    it.each<EvictionPolicy>(['least-recently-stored', 'least-recently-used', 'least-frequently-used'])(
      'is refused on a cache with evictionPolicy %s, in a sentence that says what to do',
      async evictionPolicy => {
        const lock = make(open({ evictionPolicy }), 'report')
        for (const error of [await rejection(lock.acquire()), await rejection(lock.tryAcquire())]) {
          expect(error).toBeInstanceOf(RangeError)
          const { message } = error as Error
          expect(message).toContain(`${name} 'report' needs a cache that never evicts`)
          expect(message).toContain(`evictionPolicy is '${evictionPolicy}'`)
          expect(message).toContain("{ evictionPolicy: 'none' }")
          expect(message).toContain('{ allowEviction: true }')
        }
        expect(await lock.locked()).toBe(false)
      },
    )

    it('works on a cache that may evict when the caller insists', async () => {
      const cache = open({ evictionPolicy: 'least-recently-used' })
      const lock = make(cache, 'report', { allowEviction: true })
      const lease = await lock.acquire()
      expect(await lock.locked()).toBe(true)
      expect(await lease.release()).toBe(true)
      await held(lock.tryAcquire())
    })

    it('is refused on a directory whose stored policy evicts', async () => {
      const directory = temporaryDirectory()
      const first = open({ evictionPolicy: 'least-recently-used' }, directory)
      await first.set('key', 1)
      await first.configure({ evictionPolicy: 'least-recently-used' })
      await first.close()
      const cache = open({ evictionPolicy: undefined } as object, directory)
      expect(await rejection(make(cache, 'report').acquire())).toBeInstanceOf(RangeError)
      await cache.configure({ evictionPolicy: 'none' })
      await (await make(cache, 'report').acquire()).release()
    })

    it('can be looked at, but not acquired, through a readonly cache', async () => {
      const directory = temporaryDirectory()
      const writer = open({}, directory)
      const lease = await make(writer, 'report').acquire()
      await writer.close()
      const reader = open({ readonly: true }, directory)
      const lock = make(reader, 'report')
      expect(await lock.locked()).toBe(true)
      expect(await rejection(elsewhere(() => lock.acquire()))).toBeInstanceOf(ReadonlyError)
      expect(await rejection(elsewhere(() => lock.tryAcquire()))).toBeInstanceOf(ReadonlyError)
      await reader.close()
      expect(await lease.release()).toBe(true)
    })

    it('takes what has a cache for the cache', async () => {
      const cache = open()
      const lease = await make({ cache }, 'report').acquire()
      expect(await make(cache, 'report').locked()).toBe(true)
      await lease.release()
    })

    it('opens the cache when it is used, not when it is made', async () => {
      const directory = temporaryDirectory()
      const lock = make(open({}, directory), 'report')
      expect(() => open({ timeout: 12_345 }, directory)).not.toThrow()
      expect(await lock.locked()).toBe(false)
    })

    it('refuses to be made of what it is not', async () => {
      const cache = open()
      const bad = (options: object) => () => make(cache, 'key', options as LockOptions)
      const over = (what: unknown) => () => make(what as DiskCache, 'key')
      const on = (key: unknown) => () => make(cache, key as Key)
      const calls: Misuse[] = [
        [new RegExp(`${name} needs a Cache or FanoutCache, got undefined`), TypeError, over(undefined)],
        [/needs a Cache or FanoutCache, got null/, TypeError, over(null)],
        [/needs a Cache or FanoutCache, got '\/tmp'/, TypeError, over('/tmp')],
        [/needs a Cache or FanoutCache, got an object/, TypeError, over({})],
        [/needs a Cache or FanoutCache, got an object/, TypeError, over({ cache: {} })],
        [/needs a Cache or FanoutCache, got an object/, TypeError, over({ cache: undefined })],
        [/key/, TypeError, on(undefined)],
        [/key/, TypeError, on(Number.NaN)],
        [/key/, TypeError, on(() => 1)],
        [/key/, TypeError, on(Symbol('key'))],
        [/surrogate/, TypeError, on('\ud800')],
        [/did you mean ttl\?/, TypeError, bad({ tll: 1 })],
        [/did you mean allowEviction\?/, TypeError, bad({ allowEvictions: true })],
        [/unknown option timeout/, TypeError, bad({ timeout: 1 })],
        [/options must be an object, got null/, TypeError, () => make(cache, 'key', null as unknown as LockOptions)],
        [/options must be an object, got 5/, TypeError, () => make(cache, 'key', 5 as unknown as LockOptions)],
        [/ttl/, TypeError, bad({ ttl: null })],
        [/ttl/, TypeError, bad({ ttl: true })],
        [/ttl.*-1/, RangeError, bad({ ttl: -1 })],
        [/ttl.*20 milliseconds.*19/, RangeError, bad({ ttl: 19 })],
        [/ttl.*0/, RangeError, bad({ ttl: 0 })],
        [/ttl.*NaN/, RangeError, bad({ ttl: Number.NaN })],
        [/ttl.*Infinity/, RangeError, bad({ ttl: Number.POSITIVE_INFINITY })],
        [/ttl.*'5 fortnights'/, RangeError, bad({ ttl: '5 fortnights' })],
        [/allowEviction must be true or false, got 1/, TypeError, bad({ allowEviction: 1 })],
      ]
      await expectAllMisuse(calls)
    })

    it.each(['free', 'held', 'held by the same context'])('refuses options of acquire when it is %s', async state => {
      const lock = make(open(), 'report')
      const lease = state === 'free' ? undefined : await lock.acquire()
      const acquire = (options: unknown) => () => lock.acquire(options as Acquiring)
      await expectAllMisuse([
        [/did you mean timeout\?/, TypeError, acquire({ timeot: 1 })],
        [/unknown option retry/, TypeError, acquire({ retry: true })],
        [/options must be an object, got null/, TypeError, acquire(null)],
        [/options must be an object, got 100/, TypeError, acquire(100)],
        [/timeout/, TypeError, acquire({ timeout: null })],
        [/timeout.*-1/, RangeError, acquire({ timeout: -1 })],
        [/timeout.*NaN/, RangeError, acquire({ timeout: Number.NaN })],
        [/timeout.*'soon'/, RangeError, acquire({ timeout: 'soon' })],
        [/signal must be an AbortSignal, got an object/, TypeError, acquire({ signal: {} })],
        [/signal must be an AbortSignal, got null/, TypeError, acquire({ signal: null })],
      ])
      await lease?.release()
      expect(await lock.locked()).toBe(false)
    })
  })
})

describe('the value of a BoundedSemaphore', () => {
  it('is a whole number from 1 to 10,000, and 1 when it is not given', async () => {
    const [[, open]] = KINDS as [(typeof KINDS)[number]]
    const cache = open()
    const make = (value: unknown) => () => new BoundedSemaphore(cache, 'key', { value } as { value: number })
    expect(new BoundedSemaphore(cache, 'key').value).toBe(1)
    expect(new BoundedSemaphore(cache, 'key', { value: 10_000 }).value).toBe(10_000)
    await expectAllMisuse([
      [/value.*0/, RangeError, make(0)],
      [/value.*-1/, RangeError, make(-1)],
      [/value.*1.5/, RangeError, make(1.5)],
      [/value.*10001/, RangeError, make(10_001)],
      [/value.*NaN/, RangeError, make(Number.NaN)],
      [/value.*Infinity/, RangeError, make(Number.POSITIVE_INFINITY)],
      [/value must be a number, got '3'/, TypeError, make('3')],
      [/value must be a number, got null/, TypeError, make(null)],
      [/did you mean value\?/, TypeError, () => new BoundedSemaphore(cache, 'key', { valeu: 3 } as object)],
    ])
  })
})
