import type { StandardSchemaV1 } from '@standard-schema/spec'
import { resolveOptions } from '../cache-options.js'
import { knownCaches } from '../known-caches.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import type { CacheOptions, EvictionPolicy, MemoryOptions } from '../options.js'
import { type Duration, milliseconds } from '../time.js'
import { checkName } from './namespace-options.js'
import { checkSchema } from './schema.js'

/** What a model is made of. */
export interface ModelDefinition<Schema extends StandardSchemaV1> {
  /** Which entries are its own, in every cache that it is used on. */
  readonly name: string
  /** Kept with every value. A value of another version is migrated, or is a miss and is removed. */
  readonly version: string | number
  /** Any Standard Schema, synchronous or not: zod, valibot, arktype and others. */
  readonly schema: Schema
  /**
   * Makes of a value that another version has stored one for this; `undefined` where that cannot be: then it is a miss.
   * `fromVersion` is `undefined` for what no model has stored.
   */
  migrate?(
    value: unknown,
    fromVersion: string | number | undefined,
  ): StandardSchemaV1.InferInput<Schema> | undefined | Promise<StandardSchemaV1.InferInput<Schema> | undefined>
  /** Time to live of its entries. @default that of the cache */
  readonly ttl?: Duration | null
  /** `ttl` counts from the last `get` on. The expiry is renewed when an eighth of `ttl` has gone. @default false */
  readonly sliding?: boolean
  /** Entries on disk. The least recently used go. @default those of the cache */
  readonly maxItems?: number
  /** Bytes on disk, at least 65,536. @default that of the cache */
  readonly sizeLimit?: number
  /** @default 'least-recently-used' where it has limits of its own */
  readonly evictionPolicy?: EvictionPolicy
  /** Values of more bytes than this, as stored, are not kept in memory. @default a sixteenth of `memory.maxBytes` */
  readonly maxItemSize?: number
  /** Keep values in memory, too: entries, bytes and time of its own. @default as the cache does */
  readonly memory?: MemoryOptions
}

/** What `cache.model` takes: made by `defineModel`. */
export interface Model<Input, Output> {
  readonly name: string
  readonly version: string | number
  readonly schema: StandardSchemaV1<Input, Output>
}

/** What may be put into the cache of a model. */
export type ModelInput<M> = M extends Model<infer Input, unknown> ? Input : never
/** What comes out of it. */
export type ModelOutput<M> = M extends Model<unknown, infer Output> ? Output : never

/** A model after it was checked. Times are milliseconds. */
export interface ResolvedModel {
  readonly name: string
  readonly version: string | number
  readonly schema: StandardSchemaV1
  readonly migrate: ((value: unknown, fromVersion: string | number | undefined) => unknown) | undefined
  readonly ttl: number | null | undefined
  readonly sliding: boolean
  /** What the cache of its own is opened with; `undefined`: it shares the cache that it is used on. */
  readonly limits: CacheOptions | undefined
}

const OPTIONS = new Set([
  ...['name', 'version', 'schema', 'migrate', 'ttl', 'sliding'],
  ...['maxItems', 'sizeLimit', 'evictionPolicy', 'maxItemSize', 'memory'],
])
const resolved = knownCaches().models as WeakMap<object, ResolvedModel>

/**
 * A kind of values: what they look like, and how they are kept. `cache.model(model)` is a cache of such values.
 *
 * Without `maxItems`, `sizeLimit`, `evictionPolicy`, `maxItemSize` and `memory` its entries lie among those of the cache,
 * and the cache's limits and policy decide what goes. With one of them it has a database of its own below the directory
 * of the cache, which evicts for itself: neither takes room from the other.
 *
 * @example
 * const User = defineModel({ name: 'User', version: 2, schema: z.object({ name: z.string() }), ttl: '1h' })
 * const users = cache.model(User)
 * await users.put(1, { name: 'Ann' })
 *
 * @throws TypeError for what is no Standard Schema, wrong types and unknown options; RangeError for what is out of range
 */
export function defineModel<Schema extends StandardSchemaV1>(
  definition: ModelDefinition<Schema>,
): Model<StandardSchemaV1.InferInput<Schema>, StandardSchemaV1.InferOutput<Schema>> {
  checkOptionsObject(definition, 'defineModel')
  checkOptionNames(definition, OPTIONS, 'defineModel')
  const { name, version, schema, migrate } = definition
  checkName(name, 'the name of a model')
  checkVersion(version)
  checkSchema(schema)
  if (migrate !== undefined && typeof migrate !== 'function') {
    throw new TypeError(`migrate must be a function, got ${kindOf(migrate)}`)
  }
  const model = Object.freeze({ name, version, schema })
  resolved.set(model, {
    ...model,
    migrate: migrate?.bind(definition),
    ...resolveLife(definition),
    limits: resolveLimits(definition),
  })
  return model as Model<StandardSchemaV1.InferInput<Schema>, StandardSchemaV1.InferOutput<Schema>>
}

/** @throws TypeError when it was not made by defineModel */
export function resolvedModel(model: unknown): ResolvedModel {
  const found = typeof model === 'object' && model !== null ? resolved.get(model) : undefined
  if (found) return found
  throw new TypeError(`cache.model needs what defineModel has made, got ${kindOf(model)}`)
}

function checkVersion(version: unknown): void {
  if (typeof version === 'string' && version.isWellFormed()) return
  if (typeof version !== 'number') {
    throw new TypeError(`version of a model must be a string or a number, got ${kindOf(version)}`)
  }
  if (!Number.isFinite(version)) throw new RangeError(`version of a model must be finite, got ${version}`)
}

function resolveLife({ ttl, sliding = false }: ModelDefinition<StandardSchemaV1>): {
  readonly ttl: number | null | undefined
  readonly sliding: boolean
} {
  if (typeof sliding !== 'boolean') throw new TypeError(`sliding must be true or false, got ${kindOf(sliding)}`)
  const life = ttl === undefined || ttl === null ? ttl : milliseconds(ttl, 'ttl')
  if (sliding && (typeof life !== 'number' || life === Number.POSITIVE_INFINITY)) {
    throw new TypeError('sliding needs a ttl that ends: what never expires cannot be renewed')
  }
  return { ttl: life, sliding }
}

function resolveLimits(definition: ModelDefinition<StandardSchemaV1>): CacheOptions | undefined {
  const { maxItems, sizeLimit, evictionPolicy, maxItemSize, memory } = definition
  const given = [maxItems, sizeLimit, evictionPolicy, maxItemSize, memory]
  if (given.every(one => one === undefined)) return undefined
  if (maxItemSize !== undefined) {
    if (typeof maxItemSize !== 'number') {
      throw new TypeError(`maxItemSize must be a whole number of bytes, got ${kindOf(maxItemSize)}`)
    }
    if (!Number.isSafeInteger(maxItemSize) || maxItemSize < 1) {
      throw new RangeError(`maxItemSize must be a whole number of at least 1, got ${maxItemSize}`)
    }
  }
  const limits: CacheOptions = {
    evictionPolicy: evictionPolicy ?? 'least-recently-used',
    ...(maxItems !== undefined && { maxItems }),
    ...(sizeLimit !== undefined && { sizeLimit }),
    ...(memory !== undefined && { memory: slidingToo(memory, definition.sliding) }),
    // Values in files are never kept in memory.
    ...(maxItemSize !== undefined && { disk: { minFileSize: maxItemSize + 1 } }),
  }
  resolveOptions('Cache', limits)
  return limits
}

/** What slides does so in both tiers, unless the memory is told otherwise. */
function slidingToo(memory: MemoryOptions, sliding = false): MemoryOptions {
  if (typeof memory !== 'object' || memory === null) return memory
  const { ttl = Number.POSITIVE_INFINITY } = memory
  const slides = sliding && ttl !== Number.POSITIVE_INFINITY && memory.sliding === undefined
  return slides ? { ...memory, sliding } : memory
}
