import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type } from 'arktype'
import {
  type Cache,
  type DiskCache,
  defineModel,
  type FanoutCache,
  InvalidValueError,
  type Misfit,
  type ModelCache,
} from 'fanout-cache'
import * as v from 'valibot'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { z } from 'zod'
import { cacheSubject, fanoutSubject, withClock } from '../../contract/subjects.js'
import { collect } from '../../helpers/collect.js'
import type { ManualClock } from '../../helpers/manual-clock.js'

interface User {
  readonly name: string
  readonly address: { readonly zip: number }
}

const ANN: User = { name: 'Ann', address: { zip: 1 } }
const BOB: User = { name: 'Bob', address: { zip: 2 } }
const zodUser = z.object({ name: z.string(), address: z.object({ zip: z.number() }) })
const asyncUser = zodUser.refine(async ({ name }) => name !== 'taken', 'the name is taken')
const SCHEMAS = {
  zod: zodUser,
  valibot: v.object({ name: v.string(), address: v.object({ zip: v.number() }) }),
  arktype: type({ name: 'string', address: { zip: 'number' } }),
  'zod, asynchronous': asyncUser,
}

type Host = Cache | FanoutCache

/** A place for models: among the entries of a cache, or in databases of their own. */
const [single, sharded] = [cacheSubject('structured'), fanoutSubject('structured')]
const PLACES = [
  { name: `on a ${single.name}`, subject: single, limits: {} },
  { name: `on a ${sharded.name}`, subject: sharded, limits: {} },
  { name: `with limits on a ${single.name}`, subject: single, limits: { maxItems: 1000 } },
  { name: `kept in memory on a ${sharded.name}`, subject: sharded, limits: { memory: {} } },
]

for (const { name: place, subject, limits } of PLACES) {
  const start = (options = {}): { cache: Host; clock: ManualClock } => withClock<DiskCache>(subject, options) as never
  const users = (cache: Host, more = {}): ModelCache<User, User> =>
    cache.model(defineModel({ name: 'User', version: 1, schema: zodUser, ...limits, ...more }))
  const listen = <I, O>(models: ModelCache<I, O>): Misfit[] => {
    const told: Misfit[] = []
    models.on('invalid', misfit => told.push(misfit))
    return told
  }

  describe(`a model ${place}`, () => {
    it.each(Object.entries(SCHEMAS))('stores what fits and says what does not: %s', async (_, schema) => {
      const { cache } = start()
      const model = cache.model(defineModel({ name: 'User', version: 1, schema, ...limits }))
      expect(await model.put('ann', ANN)).toBe(true)
      expect(await model.get('ann')).toEqual(ANN)
      const wrong = model.put('ann', { name: 'Ann', address: { zip: '1' } } as never)
      await expect(wrong).rejects.toThrow(InvalidValueError)
      await expect(wrong).rejects.toMatchObject({ code: 'ERR_CACHE_INVALID_VALUE', model: 'User' })
      await expect(wrong).rejects.toThrow(/^User: value\.address\.zip: .*number/i)
      await expect(wrong).rejects.toMatchObject({ issues: [{ path: 'value.address.zip' }] })
      await expect(model.put('ann', 5 as never)).rejects.toMatchObject({ issues: [{ path: 'value' }] })
      expect(await model.get('ann')).toEqual(ANN)
    })

    it('does not store what it could only answer as a miss', async () => {
      const schema = zodUser.optional()
      const model = start().cache.model(defineModel({ name: 'Maybe', version: 1, schema, ...limits }))
      await expect(model.put('none', undefined)).rejects.toThrow(/^Maybe: value: .*undefined/)
      await expect(model.putMany([['none', undefined]])).rejects.toThrow(InvalidValueError)
      expect([await model.count(), await model.has('none')]).toEqual([0, false])
      expect(await model.getOrSet('none', () => ANN)).toEqual(ANN)
      const lost = z.any().transform(() => undefined)
      const wrong = start().cache.model(defineModel({ name: 'Lost', version: 1, schema: lost, ...limits }))
      await expect(wrong.put('a', 1)).rejects.toThrow(InvalidValueError)
      const named = start().cache.model(
        defineModel({ name: 'N', version: 1, schema: z.string().default('-'), ...limits }),
      )
      expect([await named.put('a', undefined), await named.get('a')]).toEqual([true, '-'])
    })

    it.each([
      ['at once', z.any()],
      ['later', z.any().refine(async () => true)],
    ])('names the part that cannot be stored, with a schema that answers %s', async (_, schema) => {
      const model = start().cache.model(defineModel({ name: 'Any', version: 1, schema, ...limits }))
      await expect(model.put('url', new URL('http://localhost'))).rejects.toThrow(/^expected value .*got a URL$/)
      const parts = { list: [1, () => 1] }
      const error = /^expected value\.list\[1\] to be data that can be stored, got a function$/
      await expect(model.put('answer', parts)).rejects.toThrow(error)
      await expect(model.putMany([['answer', parts]])).rejects.toThrow(error)
      await expect(model.getOrSet('answer', () => parts)).rejects.toThrow(error)
      expect(await model.count()).toBe(0)
    })

    it('answers what the schema makes of what was put', async () => {
      const schema = z.object({ at: z.iso.datetime().transform(text => new Date(text)), tries: z.number().default(3) })
      const model = start().cache.model(defineModel({ name: 'Event', version: 'a', schema, ...limits }))
      const expected = { at: new Date(0), tries: 3 }
      await model.put(1, { at: '1970-01-01T00:00:00Z' })
      expect(await model.get(1)).toEqual(expected)
      expect(await model.getMany([1])).toEqual(new Map([[1, expected]]))
      expect(await collect(model.entries())).toEqual([[1, expected]])
      expect(await model.getOrSet(2, () => ({ at: '1970-01-01T00:00:00Z' }))).toEqual(expected)
    })

    it('has the verbs of a cache for its own entries', async () => {
      const { cache } = start()
      const model = users(cache)
      const other = cache.model(defineModel({ name: 'User2', version: 1, schema: zodUser, ...limits }))
      await other.put('ann', BOB)
      await model.put(['a', 1], ANN)
      expect(
        await model.putMany(
          new Map([
            ['ann', ANN],
            ['bob', BOB],
          ]),
        ),
      ).toBe(true)
      expect(await model.getMany(['bob', 'none', 'ann'])).toEqual(
        new Map([
          ['bob', BOB],
          ['ann', ANN],
        ]),
      )
      expect([await model.has('ann'), await model.has('none')]).toEqual([true, false])
      expect(await model.count()).toBe(3)
      expect((await collect(model.keys())).map(String).sort()).toEqual(['a,1', 'ann', 'bob'])
      expect(await model.delete('ann')).toBe(true)
      expect(await model.delete('ann')).toBe(false)
      expect(await model.deleteMany(['bob', 'none'])).toEqual([true, false])
      expect(await model.deleteMany([])).toEqual([])
      expect(await model.putMany([])).toBe(true)
      expect(await model.clear()).toBe(1)
      expect(await other.get('ann')).toEqual(BOB)
    })

    it('evicts by tag what is its own', async () => {
      const { cache } = start()
      const [model, other] = [users(cache), cache.model(defineModel({ name: 'Other', version: 1, schema: zodUser }))]
      const tagged = { tags: ['a'] }
      for (const models of [model, other]) await models.put('ann', ANN, tagged)
      await model.putMany([[1, ANN]], tagged)
      await model.put('bob', BOB, { tag: 'b' })
      expect([await model.get('ann'), await model.evict('a')]).toEqual([ANN, 2])
      expect(await model.getMany(['ann', 1, 'bob'])).toEqual(new Map([['bob', BOB]]))
      expect([await model.get('ann'), await other.get('ann')]).toEqual([undefined, ANN])
      expect((await model.stats()).disk.evictions).toBe(0)
    })

    it.each([zodUser, asyncUser])('stores values as they were at the call, whenever it stores them', async schema => {
      const model = start().cache.model(defineModel({ name: 'User', version: 1, schema, ...limits }))
      const [ann, bob] = [structuredClone(ANN), structuredClone(BOB)] as [User, User]
      const stored = [model.put('ann', ann), model.putMany([['bob', bob]])]
      for (const user of [ann, bob]) Object.assign(user.address, { zip: 'changed' })
      await Promise.all(stored)
      expect(await model.getMany(['ann', 'bob'])).toEqual(new Map(Object.entries({ ann: ANN, bob: BOB })))
    })

    it('stores all of a batch or nothing', async () => {
      const model = users(start().cache)
      const bad = model.putMany([
        ['ann', ANN],
        ['bob', { ...BOB, name: 5 } as never],
      ])
      await expect(bad).rejects.toThrow(/^User 'bob': value\.name: .*string/)
      const unstorable = cacheFunction(model)
      await expect(unstorable).rejects.toThrow(TypeError)
      expect(await model.count()).toBe(0)
    })

    it('keeps the order of calls on a key', async () => {
      const model = users(start().cache)
      await model.put('k', ANN)
      const calls = [
        model.put('k', BOB),
        model.get('k'),
        model.putMany([['k', ANN]]),
        model.delete('k'),
        model.put('k', BOB),
      ]
      expect(await Promise.all(calls)).toEqual([true, BOB, true, true, true])
      expect(await model.get('k')).toEqual(BOB)
    })

    it('removes what another version has stored, and tells', async () => {
      const { cache } = start()
      await users(cache).putMany([
        ['ann', ANN],
        ['bob', BOB],
      ])
      const next = users(cache, { version: 2 })
      const told = listen(next)
      expect(await next.has('ann')).toBe(false)
      expect(await next.get('ann')).toBeUndefined()
      expect(await next.getMany(['bob'])).toEqual(new Map())
      expect(await collect(next.entries())).toEqual([])
      expect(told).toMatchObject([
        { key: 'ann', reason: 'version', fromVersion: 1, removed: false },
        { key: 'ann', reason: 'version', fromVersion: 1, removed: true },
        { key: 'bob', reason: 'version', fromVersion: 1, removed: false },
      ])
      expect(await users(cache).get('ann')).toBeUndefined()
      expect(await users(cache).get('bob')).toEqual(BOB)
      expect(await next.stats()).toMatchObject({ gets: 2, misses: 2, hits: 0, invalid: 3 })
    })

    it('tells 1 and "1" apart as versions', async () => {
      const { cache } = start()
      await users(cache, { version: '1' }).put('ann', ANN)
      expect(await users(cache).get('ann')).toBeUndefined()
    })

    it('takes a stored value that fails the schema for a miss, tells and removes it', async () => {
      const { cache } = start()
      await cache
        .model(defineModel({ name: 'User', version: 1, schema: z.any(), ...limits }))
        .put('ann', { name: 'Ann' })
      const model = users(cache)
      const told = listen(model)
      expect(await model.get('ann')).toBeUndefined()
      expect(told).toMatchObject([{ key: 'ann', reason: 'schema', removed: true }])
      expect(told[0]?.issues[0]?.path).toBe('value.address')
      expect(await model.count()).toBe(0)
    })

    it.each([
      ['throws', z.string().transform(text => JSON.parse(text) as unknown)],
      ['rejects', schemaOf(async text => ({ value: JSON.parse(text as string) as unknown }))],
    ])('takes a stored value for a miss at which the schema %s', async (_, schema) => {
      const { cache } = start()
      const model = cache.model(defineModel({ name: 'Text', version: 1, schema, ...limits }))
      const any = cache.model(defineModel({ name: 'Text', version: 1, schema: z.any(), ...limits }))
      const told = listen(model)
      await any.putMany([
        ['bad', '{'],
        ['good', '{"a":1}'],
      ])
      expect(await model.getMany(['bad', 'good'])).toEqual(new Map([['good', { a: 1 }]]))
      expect([await model.has('bad'), await collect(model.entries())]).toEqual([false, [['good', { a: 1 }]]])
      expect(await model.get('bad')).toBeUndefined()
      expect(told.at(-1)).toMatchObject({ key: 'bad', reason: 'schema', removed: true, error: expect.any(SyntaxError) })
      expect(await model.count()).toBe(1)
      await expect(model.put('bad', '{')).rejects.toThrow(SyntaxError)
    })

    it('migrates what older versions have stored, writes it back and leaves the rest of the entry as it is', async () => {
      const { cache, clock } = start()
      const old = cache.model(
        defineModel({ name: 'User', version: 1, schema: z.object({ name: z.string() }), ...limits }),
      )
      await old.put('ann', { name: 'Ann' }, { ttl: '1h', tag: 'users', tags: ['more'] })
      await old.put('bob', { name: 'Bob' })
      let migrations = 0
      const model = users(cache, {
        version: 2,
        migrate: async (value: { name: string }, fromVersion: unknown) => {
          migrations++
          return { ...value, address: { zip: fromVersion } }
        },
      })
      clock.advance(60_000)
      expect(await model.getMany(['ann'])).toEqual(new Map([['ann', ANN]]))
      expect([await model.get('ann'), migrations]).toEqual([ANN, 2])
      expect([await model.get('ann'), migrations]).toEqual([ANN, 2])
      expect(await old.get('ann')).toBeUndefined()
      expect(await model.get('bob')).toEqual({ name: 'Bob', address: { zip: 1 } })
      expect(await model.stats()).toMatchObject({ migrated: 2, hits: 4, invalid: 0 })
    })

    it('keeps the remaining time to live and the tags of what it migrates', async () => {
      const { cache, clock } = start()
      await users(cache).put('ann', ANN, { ttl: '1h', tag: 'users', tags: ['more'] })
      const next = users(cache, { version: 2, migrate: (value: User) => value })
      clock.advance(50 * 60_000)
      expect(await next.get('ann')).toEqual(ANN)
      expect(await collect(next.keys({ tag: 'more' }))).toEqual(['ann'])
      clock.advance(9 * 60_000)
      expect(await next.get('ann')).toEqual(ANN)
      clock.advance(60_000)
      expect(await next.get('ann')).toBeUndefined()
    })

    it('computes anew what it migrates when that would have been due', async () => {
      const { cache, clock } = start()
      const life = { ttl: '1m', staleFor: '1d' } as const
      await users(cache).getOrSet('ann', () => ANN, life)
      const next = users(cache, { version: 2, migrate: (value: User) => value })
      clock.advance(50_000)
      expect(await next.get('ann')).toEqual(ANN)
      expect(await next.getOrSet('ann', () => BOB, life)).toEqual(ANN)
      clock.advance(10_000)
      expect(await next.getOrSet('ann', () => BOB, life)).toEqual(ANN)
      await vi.waitFor(async () => expect(await next.get('ann')).toEqual(BOB))
      expect((await next.stats()).migrated).toBe(1)
    })

    it('lets what never expires go on so when it migrates it, whatever the default of the cache is', async () => {
      const { cache, clock } = start({ defaultTtl: '1h' })
      await users(cache).put('ann', ANN, { ttl: null })
      const next = users(cache, { version: 2, migrate: (value: User) => value })
      expect(await next.get('ann')).toEqual(ANN)
      clock.advance(2 * 3_600_000)
      expect(await next.get('ann')).toEqual(ANN)
    })

    it.each([
      [
        'throws',
        () => {
          throw new Error('no')
        },
        'migration',
      ],
      ['answers what does not fit', () => ({ name: 1 }), 'migration'],
      ['answers undefined', () => undefined, 'version'],
    ])('removes what cannot be migrated because migrate %s', async (_, migrate, reason) => {
      const { cache } = start()
      await users(cache).put('ann', ANN)
      const next = users(cache, { version: 2, migrate })
      const told = listen(next)
      expect(await next.get('ann')).toBeUndefined()
      expect(told).toMatchObject([{ reason, removed: true }])
      expect(await next.count()).toBe(0)
    })

    it('leaves alone what somebody has stored while it looked at an entry that does not fit', async () => {
      const { cache } = start()
      const [old, other] = [users(cache), users(cache, { version: 2 })]
      for (const result of [undefined, ANN]) {
        await old.put('k', ANN)
        const next = users(cache, {
          version: 2,
          migrate: async () => {
            await other.put('k', BOB)
            return result
          },
        })
        const told = listen(next)
        expect(await next.get('k')).toEqual(result)
        expect(await other.get('k')).toEqual(BOB)
        expect(told.map(({ removed }) => removed)).toEqual(result ? [] : [false])
      }
    })

    it('computes what is missing or does not fit, once, and checks it', async () => {
      const { cache } = start()
      const model = users(cache)
      let calls = 0
      const compute = () => {
        calls++
        return ANN
      }
      const answers = await Promise.all([1, 2, 3].map(() => model.getOrSet('k', compute)))
      expect([answers, calls]).toEqual([[ANN, ANN, ANN], 1])
      const next = users(cache, { version: 2 })
      expect(await next.getOrSet('k', () => BOB)).toEqual(BOB)
      expect(await next.getOrSet('k', compute)).toEqual(BOB)
      await expect(next.getOrSet('bad', () => ({ name: 1 }) as never)).rejects.toThrow(InvalidValueError)
      expect(await next.getOrSet('none', () => undefined)).toBeUndefined()
      expect(await next.count()).toBe(1)
      const migrating = users(cache, { version: 3, migrate: (value: User) => value })
      expect(await migrating.getOrSet('k', compute)).toEqual(BOB)
      expect(calls).toBe(1)
    })

    it('gives the function of getOrSet the old value as the schema reads it', async () => {
      const { cache, clock } = start()
      const schema = z.string().transform(text => text.length)
      const model = cache.model(defineModel({ name: 'Length', version: 1, schema, ...limits }))
      await model.getOrSet('k', () => 'abc', { ttl: 1000, staleFor: '1h' })
      clock.advance(2000)
      const previous = await new Promise(resolve => {
        const compute = (context: { previous?: number }) => {
          resolve(context.previous)
          return 'abcd'
        }
        void model.getOrSet('k', compute, { ttl: 1000, staleFor: '1h' })
      })
      expect(previous).toBe(3)
      await expect.poll(() => model.get('k')).toBe(4)
    })

    it('lives as long as ttl says', async () => {
      const { cache, clock } = start({ defaultTtl: '1d' })
      const model = users(cache, { ttl: '1m' })
      await model.put('model', ANN)
      await model.put('own', ANN, { ttl: '2m' })
      await model.put('never', ANN, { ttl: null })
      await model.putMany([['batch', ANN]])
      await model.getOrSet('computed', () => ANN)
      clock.advance(60_000)
      expect([...(await model.getMany(['model', 'own', 'never', 'batch', 'computed'])).keys()]).toEqual([
        'own',
        'never',
      ])
      clock.advance(10 ** 9)
      expect(await model.get('never')).toEqual(ANN)
    })

    it('slides: entries that are read live on, others end', async () => {
      const { cache, clock } = start()
      const model = users(cache, { ttl: '80s', sliding: true })
      await model.putMany([
        ['read', ANN],
        ['batch', ANN],
        ['unread', ANN],
      ])
      await model.put('own', ANN, { ttl: '800s' })
      for (let second = 0; second < 160; second += 10) {
        clock.advance(10_000)
        expect(await model.get('read')).toEqual(ANN)
        await model.getMany(['batch'])
      }
      expect(await model.getMany(['batch', 'unread'])).toEqual(new Map())
      clock.advance(70_000)
      expect(await model.get('read')).toEqual(ANN)
      clock.advance(80_000)
      expect(await model.get('read')).toBeUndefined()
      expect(await model.get('own')).toEqual(ANN)
      clock.advance(790_000)
      expect(await model.get('own')).toEqual(ANN)
    })

    it('slides from what was put last, however long that before should have lived', async () => {
      const { cache, clock } = start()
      const model = users(cache, { ttl: '80s', sliding: true })
      await model.put('k', ANN, { ttl: '800s' })
      clock.advance(200_000)
      await model.get('k')
      await model.put('k', BOB, { ttl: '8s' })
      for (let second = 0; second < 24; second += 4) {
        clock.advance(4000)
        expect(await model.get('k')).toEqual(BOB)
      }
    })

    it('slides by the time to live of what was put last, also shortly before the one before is due', async () => {
      const { cache, clock } = start()
      const model = users(cache, { ttl: '800s', sliding: true })
      await model.put('k', ANN)
      await model.get('k')
      clock.advance(25_000)
      await model.put('k', BOB, { ttl: '80s' })
      clock.advance(74_000)
      await model.get('k')
      clock.advance(69_000)
      expect(await model.get('k')).toEqual(BOB)
    })

    it('slides by the time to live of an entry that was migrated', async () => {
      const { cache, clock } = start()
      await users(cache).put('k', ANN, { ttl: '800s' })
      const model = users(cache, { version: 2, ttl: '80s', sliding: true, migrate: (value: User) => value })
      clock.advance(700_000)
      expect(await model.get('k')).toEqual(ANN)
      expect(await model.get('k')).toEqual(ANN)
      clock.advance(700_000)
      expect(await model.get('k')).toEqual(ANN)
    })

    it('does not slide where getOrSet has a time of its own to compute again', async () => {
      const { cache, clock } = start()
      const model = users(cache, { ttl: '80s', sliding: true })
      const compute = (): Promise<User> => model.getOrSet('k', () => ANN, { beta: 0.001 })
      await compute()
      clock.advance(60_000)
      await compute()
      clock.advance(20_000)
      expect(await model.has('k')).toBe(false)
    })

    it.runIf(place.startsWith('on')).each<[string, unknown]>([
      ['no value', { version: 1 }],
      ['a version of another kind', { version: { is: 1 }, value: ANN }],
      ['a time to live that is none', { version: 1, value: ANN, ttl: 'soon' }],
      ['a negative time to live', { version: 1, value: ANN, ttl: -1 }],
    ])('takes what has %s for no value of its own', async (_, stored) => {
      const { cache } = start()
      const model = cache.model(defineModel({ name: 'Any', version: 1, schema: z.any() }))
      const told = listen(model)
      await cache.set('model=Any:k', stored)
      expect(await model.get('k')).toBeUndefined()
      expect(told).toEqual([{ key: 'k', reason: 'version', fromVersion: undefined, issues: [], removed: true }])
    })

    it.runIf(place.startsWith('on'))('renews an expiry at most eight times in its time to live', async () => {
      const { cache, clock } = start()
      const model = users(cache, { ttl: '80s', sliding: true })
      await model.put('k', ANN)
      const seen = new Set<unknown>()
      for (let at = 0; at < 400; at++) {
        clock.advance(200)
        await model.get('k')
        seen.add((await cache.info('model=User:k'))?.expiresAt)
      }
      expect(seen.size).toBeLessThanOrEqual(9)
      expect(seen.size).toBeGreaterThan(6)
    })

    it('is one object for one model, so that its figures are in one place', async () => {
      const { cache } = start()
      const model = defineModel({ name: 'User', version: 1, schema: zodUser, ...limits })
      expect(cache.model(model)).toBe(cache.model(model))
      const models = cache.model(model)
      await models.putMany([
        ['a', ANN],
        ['b', BOB],
      ])
      await models.get('a')
      await models.get('none')
      await models.getMany(['a', 'b', 'none'])
      await models.delete('a')
      await models.deleteMany(['a', 'b'])
      const failing = models.getOrSet('none', () => Promise.reject(new Error('no source')))
      await expect(failing).rejects.toThrow('no source')
      const stats = await models.stats()
      expect(stats).toMatchObject({ gets: 5, hits: 3, misses: 2, puts: 2, deletes: 3, invalid: 0, migrated: 0 })
      expect(stats.disk).toMatchObject({ evictions: 0, items: 0, bytes: expect.any(Number) })
    })

    it('counts of what getOrSet has computed what was stored', async () => {
      const { cache, clock } = start()
      const model = users(cache)
      const puts = async (): Promise<number> => (await model.stats()).puts
      await model.getOrSet('skipped', context => {
        context.skip()
        return ANN
      })
      await model.getOrSet('ended', () => ANN, { ttl: 0 })
      expect(await puts()).toBe(0)
      const renewed = { ttl: '1s', staleFor: '1h' } as const
      await model.getOrSet('k', () => ANN, renewed)
      expect(await puts()).toBe(1)
      clock.advance(2000)
      expect(await model.getOrSet('k', () => BOB, renewed)).toEqual(ANN)
      await vi.waitFor(async () => expect(await puts()).toBe(2))
      expect(await model.get('k')).toEqual(BOB)
    })

    it('rejects with the first error of several values, and leaves no other unheard', async () => {
      const unheard: unknown[] = []
      const hear = (error: unknown): void => void unheard.push(error)
      process.prependListener('unhandledRejection', hear)
      onTestFinished(() => void process.off('unhandledRejection', hear))
      const schema = schemaOf(value => {
        if (value === 'late') return Promise.reject(new Error('late'))
        throw new Error('at once')
      })
      const model = start().cache.model(defineModel({ name: 'User', version: 1, schema, ...limits }))
      const putting = model.putMany([
        ['a', 'late'],
        ['b', 'now'],
      ])
      await expect(putting).rejects.toThrow('at once')
      await new Promise(resolve => setImmediate(resolve))
      expect(unheard).toEqual([])
    })

    it('reads with readonly, and leaves what does not fit where it is', async () => {
      const { cache } = start()
      await users(cache).put('ann', ANN)
      await cache.close()
      const reader = subject.make({ readonly: true }, cache.directory)
      expect(await users(reader).get('ann')).toEqual(ANN)
      expect(await users(reader, { version: 2 }).get('ann')).toBeUndefined()
      expect(await users(reader, { version: 2, migrate: (value: User) => value }).get('ann')).toEqual(ANN)
      expect(await users(reader, { version: 2 }).getOrSet('ann', () => BOB)).toEqual(BOB)
      expect(await users(reader).get('ann')).toEqual(ANN)
    })
  })
}

function schemaOf(validate: StandardSchemaV1.Props<string, unknown>['validate']): StandardSchemaV1<string, unknown> {
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

/** A value that fits its schema and cannot be stored, after one that can. */
function cacheFunction(model: ModelCache<User, User>): Promise<boolean> {
  return model.putMany([
    ['ann', ANN],
    ['bob', { ...BOB, extra: () => 1 } as never],
  ])
}
