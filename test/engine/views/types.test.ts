import { type } from 'arktype'
import {
  type Cache,
  type CacheNamespace,
  type DiskCache,
  defineModel,
  type FanoutCache,
  type Item,
  type Key,
  keyOf,
  Lock,
  type ModelInput,
  type ModelOutput,
  memoize,
  type Namespace,
} from 'fanout-cache'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'

/** What compiles, and what does not: `tsc -p test` is the test. These functions are never called. */
function models(cache: Cache, fanout: FanoutCache): void {
  const Event = defineModel({
    name: 'Event',
    version: 1,
    schema: z.object({ at: z.iso.datetime().transform(text => new Date(text)), tries: z.number().default(3) }),
    migrate: (value, fromVersion) => {
      expectTypeOf(value).toBeUnknown()
      expectTypeOf(fromVersion).toEqualTypeOf<string | number | undefined>()
      return { at: '1970-01-01T00:00:00Z' }
    },
  })
  interface Output {
    at: Date
    tries: number
  }
  expectTypeOf<ModelInput<typeof Event>>().toEqualTypeOf<{ at: string; tries?: number | undefined }>()
  expectTypeOf<ModelOutput<typeof Event>>().toEqualTypeOf<Output>()

  const events = cache.model(Event)
  expectTypeOf(fanout.model(Event)).toEqualTypeOf(events)
  expectTypeOf(cache.namespace('a').model(Event)).toEqualTypeOf(events)
  expectTypeOf(events.get(1)).toEqualTypeOf<Promise<Output | undefined>>()
  expectTypeOf(events.getMany([1])).toEqualTypeOf<Promise<Map<Key, Output>>>()
  expectTypeOf(events.entries()).toEqualTypeOf<AsyncGenerator<[Key, Output]>>()
  expectTypeOf(events.getOrSet(1, () => ({ at: '' }))).toEqualTypeOf<Promise<Output>>()
  expectTypeOf(events.getOrSet(1, async () => (Math.random() > 1 ? { at: '' } : undefined))).toEqualTypeOf<
    Promise<Output | undefined>
  >()
  void events.getOrSet(1, ({ previous, signal }) => {
    expectTypeOf(previous).toEqualTypeOf<Output | undefined>()
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
    return { at: '' }
  })
  void events.put(1, { at: '' }, { ttl: '1m', tags: ['a'] })
  void events.putMany([[1, { at: '' }]])
  void events.putMany(new Map([['a', { at: '' }]]))
  // @ts-expect-error: what is put is the input of the schema
  void events.put(1, { at: new Date() })
  // @ts-expect-error: a field is missing
  void events.put(1, { tries: 1 })
  // @ts-expect-error: there is no such option
  void events.put(1, { at: '' }, { file: true })
  // @ts-expect-error: in a batch as well
  void events.putMany([[1, { at: 5 }]])
  // @ts-expect-error: what is computed is the input, too
  void events.getOrSet(1, () => ({ at: 5 }))
  // @ts-expect-error: a Date is no key
  void events.get(new Date())
  events.on('invalid', ({ key, issues, reason }) => {
    expectTypeOf(key).toEqualTypeOf<Key>()
    expectTypeOf(issues[0]?.path).toEqualTypeOf<string | undefined>()
    expectTypeOf(reason).toEqualTypeOf<'version' | 'schema' | 'migration'>()
  })
  // @ts-expect-error: there is no such event
  events.on('expired', () => undefined)
}

function definitions(cache: Cache): void {
  const ark = defineModel({ name: 'A', version: '1', schema: type({ name: 'string' }) })
  expectTypeOf<ModelOutput<typeof ark>>().toEqualTypeOf<{ name: string }>()
  const valibot = defineModel({ name: 'V', version: '1', schema: v.object({ name: v.string() }) })
  expectTypeOf<ModelInput<typeof valibot>>().toEqualTypeOf<{ name: string }>()
  // @ts-expect-error: no Standard Schema
  defineModel({ name: 'A', version: 1, schema: { parse: (value: unknown) => value } })
  // @ts-expect-error: the version is missing
  defineModel({ name: 'A', schema: z.string() })
  // @ts-expect-error: what migrate makes is the input of the schema
  defineModel({ name: 'A', version: 1, schema: z.string(), migrate: () => 5 })
  // @ts-expect-error: there is no such option
  defineModel({ name: 'A', version: 1, schema: z.string(), maxitems: 5 })
  // @ts-expect-error: a definition is no model
  cache.model({ name: 'A', version: 1 })
}

function namespaces(cache: Cache, fanout: FanoutCache): void {
  const prod = cache.namespace('prod', { version: 2, defaultTtl: '5m' })
  expectTypeOf(prod).toEqualTypeOf<CacheNamespace>()
  expectTypeOf(fanout.namespace('prod')).toEqualTypeOf<Namespace>()
  expectTypeOf(fanout.namespace('prod')).toExtend<DiskCache>()
  expectTypeOf(prod.get<string>('k')).toEqualTypeOf<Promise<string | undefined>>()
  expectTypeOf(prod.incr('k')).toEqualTypeOf<Promise<number>>()
  expectTypeOf(prod.incr('k', 1n)).toEqualTypeOf<Promise<bigint>>()
  expectTypeOf(prod.namespace('inner')).toEqualTypeOf<CacheNamespace>()
  expectTypeOf(prod.pull<string>()).toEqualTypeOf<Promise<Item<string> | undefined>>()
  expectTypeOf(prod.transact(tx => tx.push('v'))).toEqualTypeOf<Promise<Key>>()
  expectTypeOf(fanout.namespace('prod')).not.toHaveProperty('push')
  new Lock(prod, 'k')
  memoize(prod, async (id: number) => id)
  // @ts-expect-error: a version is a number
  cache.namespace('prod', { version: '2' })
  // @ts-expect-error: a namespace has a name
  cache.namespace()
  expectTypeOf(keyOf('a', new Map(), 5n, undefined)).toBeString()
}

describe('the types of views', () => {
  it('tell what goes in from what comes out', () => {
    for (const checked of [models, definitions, namespaces]) expect(checked).toBeTypeOf('function')
  })
})
