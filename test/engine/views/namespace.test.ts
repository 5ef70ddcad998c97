import {
  Averager,
  BoundedSemaphore,
  type DiskCache,
  Lock,
  memoize,
  type Namespace,
  RLock,
  throttle,
} from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { everySubject, LARGE, type Subject, withClock } from '../../contract/subjects.js'
import { collect } from '../../helpers/collect.js'

type Host = DiskCache & { namespace(name: string, options?: object): Namespace }

const make = (subject: Subject, options = {}): Host => subject.make(options) as Host
const NAMES = [
  'a',
  'a:1',
  'a_',
  'a%',
  'a%3A1',
  '_',
  '%',
  ':',
  '::',
  'A',
  'ab',
  '1',
  'a:1:b',
  '~',
  '=',
  'é',
  '😀',
  'a b',
]

for (const subject of everySubject()) {
  describe(`namespaces of a ${subject.name}`, () => {
    it('never touch each other, however they are named', async () => {
      const cache = make(subject)
      const all = NAMES.flatMap(name => [cache.namespace(name), cache.namespace(name, { version: 11 })])
      await Promise.all(all.flatMap((one, at) => [one.set('k', at), one.set('1:k', -at), one.set('', `${at}`)]))
      await cache.set('k', 'outside')
      expect(await cache.count()).toBe(all.length * 3 + 1)
      for (const [at, one] of all.entries()) {
        expect([await one.get('k'), await one.get('1:k'), await one.get('')]).toEqual([at, -at, `${at}`])
        expect((await collect(one.keys())).sort()).toEqual(['', '1:k', 'k'])
        expect(await one.clear()).toBe(3)
        expect(await one.count()).toBe(0)
        expect(await cache.count()).toBe((all.length - at - 1) * 3 + 1)
      }
      expect(await cache.get('k')).toBe('outside')
    })

    it('count, expire, evict and clear their own entries alone', async () => {
      const { cache, clock } = withClock(subject)
      const host = cache as Host
      const one = host.namespace('one')
      const all = [one, host.namespace('one', { version: 2 }), host.namespace('on'), host]
      for (const each of all) {
        await each.setMany(Array.from({ length: 120 }, (_, at) => [at % 2 ? at : `k${at}`, at, { tag: `t${at % 3}` }]))
        await each.set('brief', 1, { ttl: 1000, tags: ['t0'] })
        await each.set('longer', 1, { ttl: '1h' })
      }
      expect(await one.count()).toBe(122)
      expect(await one.evict('t0')).toBe(41)
      await one.set('brief', 1, { ttl: 1000 })
      clock.advance(2000)
      expect(await one.expire()).toBe(1)
      expect(await one.expire({ now: Number.POSITIVE_INFINITY })).toBe(1)
      expect(await one.count()).toBe(80)
      expect(await one.clear()).toBe(80)
      for (const each of all.slice(1, 3)) expect(await each.count()).toBe(122)
      expect(await host.count()).toBe(3 * 122)
    })

    it('tell the volume of their own keys and values', async () => {
      const cache = make(subject)
      const one = cache.namespace('one')
      await cache.set('other', 'x'.repeat(50_000))
      expect(await one.volume()).toBe(0)
      await one.set('file', LARGE)
      await one.set('text', 'x'.repeat(1000))
      const volume = await one.volume()
      expect(volume).toBeGreaterThan(40_000)
      expect(volume).toBeLessThan(62_500)
      expect(await one.stats()).toMatchObject({ count: 2, volume })
    })

    it('begin empty with another version, and remove what older ones hold when they are told to', async () => {
      const cache = make(subject)
      const versions = [0, 1, 2, 10, 11].map(version => cache.namespace('prod', { version }))
      for (const one of versions) {
        expect(await one.get('k')).toBeUndefined()
        await one.setMany([
          ['k', one.version],
          [7, one.version],
        ])
      }
      await cache.setMany([
        ['prod:', 'x'],
        ['prod:1', 'x'],
        ['prod:01:k', 'x'],
        ['prod:x:k', 'x'],
        ['prodo:1:k', 'x'],
      ])
      expect(await cache.namespace('prod', { version: 10 }).clearOlderVersions()).toBe(6)
      expect(await Promise.all(versions.map(one => one.get('k')))).toEqual([undefined, undefined, undefined, 10, 11])
      expect(await cache.count()).toBe(4 + 5)
      expect(await cache.namespace('prod', { version: 10 }).clearOlderVersions()).toBe(0)
    })

    it('have a value of each version for every verb', async () => {
      const cache = make(subject)
      const [one, two] = [cache.namespace('app', { version: 1 }), cache.namespace('app', { version: 2 })]
      expect(await one.set('answer', 42)).toBe(true)
      expect([await one.get('answer'), await two.get('answer')]).toEqual([42, undefined])
      expect([await one.has('answer'), await two.has('answer')]).toEqual([true, false])
      expect(await two.add('answer', 37)).toBe(true)
      expect([await one.add('answer', 0), await two.add('answer', 0)]).toEqual([false, false])
      expect([await one.incr('answer'), await two.decr('answer')]).toEqual([43, 36])
      expect([await one.get('answer'), await two.get('answer')]).toEqual([43, 36])
      await one.setMany([
        ['a', 1],
        ['b', 2],
      ])
      expect(await two.getMany(['a', 'b'])).toEqual([undefined, undefined])
      expect(await two.getOrSet('a', () => 3)).toBe(3)
      expect(await one.getOrSet('a', () => 4)).toBe(1)
      expect(await two.touch('b', { ttl: 1000 })).toBe(false)
      expect(await two.deleteMany(['a', 'b'])).toEqual([true, false])
      expect(await one.getMany(['a', 'b'])).toEqual([1, 2])
      expect([await two.delete('answer'), await one.pop('answer')]).toEqual([true, 43])
    })

    it.each(['k', '~k', '~t', '~tk', '~t~t'])('keep the text %s under their prefix as it is', async key => {
      const cache = make(subject)
      await cache.namespace('n').set(key, 1)
      expect(await collect(cache.keys())).toEqual([`n:1:${key}`])
    })

    it('lie in each other: who clears the outer one clears the inner ones', async () => {
      const cache = make(subject)
      const outer = cache.namespace('outer', { version: 2 })
      const inner = outer.namespace('inner')
      await inner.set(1, 'number')
      await inner.set('~t', 'text')
      await outer.set('k', 1)
      await outer.namespace('inne').set('k', 1)
      expect(await collect(inner.keys())).toEqual(expect.arrayContaining([1, '~t']))
      expect(await inner.count()).toBe(2)
      expect(await outer.count()).toBe(4)
      expect(await inner.clear()).toBe(2)
      await inner.set('k', 1)
      expect(await outer.clear()).toBe(3)
      expect(await inner.has('k')).toBe(false)
    })

    it('list text keys by prefix, of whatever they consist', async () => {
      const one = make(subject).namespace('one')
      const texts = ['~', '~n1', '~t~n1', '~b00', '~x', '~n01', '~t', 'plain', '']
      await one.setMany([...texts, 1, Buffer.from([0]), null, ['a']].map(key => [key, 1] as const))
      const listed = async (prefix: string) => (await collect(one.keys({ prefix }))).sort()
      expect(await listed('')).toEqual([...texts].sort())
      expect(await listed('~')).toEqual(texts.filter(text => text.startsWith('~')).sort())
      expect(await listed('~n')).toEqual(['~n01', '~n1'])
      expect(await listed('pl')).toEqual(['plain'])
      expect(await one.transact(tx => Array.from(tx.keys({ prefix: '~n' })).sort())).toEqual(['~n01', '~n1'])
      expect(await one.transact(tx => tx.count())).toBe(texts.length + 4)
    })

    it('give what is stored without one their time to live', async () => {
      const { cache } = withClock(subject, { defaultTtl: '1d' })
      const host = cache as Host
      const one = host.namespace('one', { defaultTtl: '1m' })
      const left = async (space: Namespace, key: string) => {
        const { expiresAt, storedAt } = (await space.info(key)) ?? { storedAt: 0 }
        return expiresAt === undefined ? undefined : Math.round(expiresAt - storedAt)
      }
      await one.set('set', 1)
      await one.add('add', 1, { tag: 't' })
      await one.setMany([['many', 1]])
      await one.incr('incr')
      await one.getOrSet('computed', () => 1)
      await one.transact(tx => tx.set('inside', 1))
      await memoize(one, async () => 1, { key: () => 'memoized' })()
      for (const key of ['set', 'add', 'many', 'incr', 'computed', 'inside', 'memoized']) {
        expect([key, await left(one, key)]).toEqual([key, 60_000])
      }
      await one.set('own', 1, { ttl: 5000 })
      expect(await left(one, 'own')).toBe(5000)
      await one.set('never', 1, { ttl: null })
      expect(await left(one, 'never')).toBeUndefined()
      await one.namespace('inner').set('k', 1)
      expect(await left(one.namespace('inner'), 'k')).toBe(60_000)
      const never = host.namespace('never', { defaultTtl: null })
      await never.set('k', 1)
      expect(await left(never, 'k')).toBeUndefined()
      const plain = host.namespace('plain')
      await plain.set('k', 1)
      expect(await left(plain, 'k')).toBe(86_400_000)
    })
  })
}

for (const subject of everySubject().filter(({ codec }) => codec === 'structured')) {
  describe(`views of a ${subject.name}`, () => {
    it('keep locks, semaphores, throttles, averages and memoized results apart', async () => {
      const cache = make(subject, { evictionPolicy: 'none' })
      const [one, two] = [cache.namespace('one'), cache.namespace('two')]
      const lease = await new Lock(one, 'job').acquire()
      expect([await new Lock(one, 'job').locked(), await new Lock(two, 'job').locked()]).toEqual([true, false])
      expect(await new Lock(cache, 'one:1:job').locked()).toBe(true)
      expect(await new RLock(two, 'job').run(async () => 'mine')).toBe('mine')
      const semaphore = new BoundedSemaphore(one, 'places', { value: 1 })
      const place = await semaphore.acquire()
      expect(await new BoundedSemaphore(one, 'places').tryAcquire()).toBeUndefined()
      expect(await new BoundedSemaphore(two, 'places').locked()).toBe(false)
      await Promise.all([lease.release(), place.release()])

      await new Averager(one, 'mean').add(4)
      expect([await new Averager(one, 'mean').get(), await new Averager(two, 'mean').get()]).toEqual([4, undefined])
      await throttle(one, async () => 1, { name: 'ask', count: 1, per: '1h' })()
      expect([await one.has('ask'), await two.has('ask')]).toEqual([true, false])

      let calls = 0
      const count = (space: Namespace) => memoize(space, async (by: number) => (calls += by), { name: 'count' })
      expect([await count(one)(1), await count(one)(1), await count(two)(2)]).toEqual([1, 1, 3])
      expect(await one.delete(count(one).cacheKey(1))).toBe(true)
      expect(await count(one)(1)).toBe(4)
    })

    it('count a miss of a memoized function once', async () => {
      const cache = make(subject, { statistics: true })
      await memoize(cache.namespace('one'), async () => 1, { name: 'once' })()
      expect(await cache.stats()).toMatchObject({ hits: 0, misses: 1 })
    })

    it('tell the events of their own keys by the names they have there', async () => {
      const cache = make(subject, { maxItems: 3 })
      const told: unknown[] = []
      const listen = ({ key }: { key: unknown }) => told.push(key)
      const one = cache.namespace('one').on('evict', listen)
      for (let at = 0; at < 40; at++) await (at % 2 ? one : cache.namespace('two')).set(at, at)
      expect(told.length).toBeGreaterThan(10)
      expect(told.every(key => typeof key === 'number' && key % 2 === 1)).toBe(true)
      one.off('evict', listen)
      const before = told.length
      for (let at = 0; at < 40; at++) await one.set(at, at)
      expect(told.length).toBe(before)
      let once = 0
      one.once('evict', () => once++)
      for (let at = 40; at < 80; at++) await one.set(at, at)
      expect(once).toBe(1)
    })

    it('refuse events that do not exist', () => {
      const one = make(subject).namespace('one')
      for (const verb of ['on', 'once', 'off'] as const) {
        expect(() => one[verb]('evicted' as 'evict', () => {})).toThrow("unknown event 'evicted'; did you mean evict?")
      }
    })

    it('leave the cache open when they are closed', async () => {
      const cache = make(subject)
      const one = cache.namespace('one')
      await one.set('k', 1)
      await one[Symbol.asyncDispose]()
      expect(await cache.count()).toBe(1)
      expect(await one.get('k')).toBe(1)
    })

    it.each([
      [undefined, {}, TypeError, /name of a namespace must be a well-formed string/],
      [5, {}, TypeError, /name of a namespace must be a well-formed string, got 5/],
      ['\ud800', {}, TypeError, /well-formed/],
      ['', {}, RangeError, /name of a namespace must not be empty/],
      ['a', null, TypeError, /namespace: options must be an object/],
      ['a', { versoin: 1 }, TypeError, /did you mean version/],
      ['a', { version: '1' }, TypeError, /version of a namespace must be a whole number, got '1'/],
      ['a', { version: 1.5 }, RangeError, /version of a namespace must be a whole number of 0 or more, got 1.5/],
      ['a', { version: -1 }, RangeError, /got -1/],
      ['a', { version: Number.NaN }, RangeError, /got NaN/],
      ['a', { defaultTtl: -1 }, RangeError, /defaultTtl/],
      ['a', { defaultTtl: 'soon' }, RangeError, /defaultTtl/],
      ['a', { defaultTtl: true }, TypeError, /defaultTtl/],
    ])('refuse the name %j with %j', (name, options, type, message) => {
      const cache = make(subject)
      const attempt = () => cache.namespace(name as string, options as object)
      expect(attempt).toThrow(type)
      expect(attempt).toThrow(message)
    })

    it('reject bad keys and options as the cache does', async () => {
      const one = make(subject).namespace('one', { defaultTtl: 1000 })
      await expect(one.get(Number.NaN)).rejects.toThrow(TypeError)
      await expect(one.set('\ud800', 1)).rejects.toThrow(TypeError)
      await expect(one.set('k', 1, null as never)).rejects.toThrow(/options must be an object/)
      await expect(one.set('k', 1, { tll: 5 } as never)).rejects.toThrow(/did you mean ttl/)
      await expect(one.setMany(['ab' as never])).rejects.toThrow(/entries must be/)
      await expect(one.getMany('ab' as never)).rejects.toThrow(/iterable/)
      await expect(one.transact(tx => tx.getMany('ab'))).rejects.toThrow(/iterable/)
      await expect(collect(one.keys({ prefix: 5 as never }))).rejects.toThrow(/prefix must be a string/)
      await expect(one.transact('x' as never)).rejects.toThrow(/body must be a function/)
      await expect(one.clear({ now: 1 } as never)).rejects.toThrow(/unknown option now/)
    })
  })
}
