import type { StandardSchemaV1 } from '@standard-schema/spec'
import { resolveOptions } from '../cache-options.js'
import { knownCaches } from '../known-caches.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import type { CacheOptions, EvictionPolicy, MemoryOptions } from '../options.js'
import { type Duration, milliseconds } from '../time.js'
import { checkName } from './namespace-options.js'
import { checkSchema } from './schema.js'

/** The definition of a model, as `defineModel` takes it. */
export interface ModelDefinition<Schema extends StandardSchemaV1> {
  /** Identifies the entries of the model in every cache it is used on. */
  readonly name: string
  /** Stored with every value. A value of another version is migrated, or is a miss and is removed. */
  readonly version: string | number
  /** Any Standard Schema, synchronous or not, such as those of zod, valibot and arktype. */
  readonly schema: Schema
  /**
   * Converts a value that another version stored. Return `undefined` when that is not possible; the value is a miss
   * then. `fromVersion` is `undefined` for a value that no model stored.
   */
  readonly migrate?:
    | ((
        value: unknown,
        fromVersion: string | number | undefined,
      ) => StandardSchemaV1.InferInput<Schema> | undefined | Promise<StandardSchemaV1.InferInput<Schema> | undefined>)
    | undefined
  /** Time to live of the entries: milliseconds or a string. `null`: never expires. @default the cache's `defaultTtl` */
  readonly ttl?: Duration | null | undefined
  /** Whether `ttl` starts anew with a `get`. Expiry is renewed when an eighth of `ttl` has passed. @default false */
  readonly sliding?: boolean | undefined
  /** Limit of entries on disk. The least recently used are evicted. @default the limit of the cache */
  readonly maxItems?: number | undefined
  /** Limit of bytes on disk, at least 65,536. @default the limit of the cache */
  readonly sizeLimit?: number | undefined
  /** Which entries are evicted first. @default 'least-recently-used' for a model with limits of its own */
  readonly evictionPolicy?: EvictionPolicy | undefined
  /** Values of more stored bytes than this are not kept in memory. @default a sixteenth of `memory.maxBytes` */
  readonly maxItemSize?: number | undefined
  /** A memory tier with limits of its own. @default that of the cache; none for a model with other limits */
  readonly memory?: MemoryOptions | undefined
}

/** A model, created by `defineModel` and passed to `cache.model`. */
export interface Model<Input, Output> {
  /** The name under which caches keep the values. */
  readonly name: string
  /** The version of the form of the values, which is stored with each. */
  readonly version: string | number
  /** What checks the values. */
  readonly schema: StandardSchemaV1<Input, Output>
}

/** The type of the values that are put into the cache of a model. */
export type ModelInput<M> = M extends Model<infer Input, unknown> ? Input : never
/** The type of the values that are read from the cache of a model. */
export type ModelOutput<M> = M extends Model<unknown, infer Output> ? Output : never

/** A checked model. Durations are milliseconds. */
export interface ResolvedModel {
  readonly name: string
  readonly version: string | number
  readonly schema: StandardSchemaV1
  readonly migrate: ((value: unknown, fromVersion: string | number | undefined) => unknown) | undefined
  readonly ttl: number | null | undefined
  readonly sliding: boolean
  /** Options of the cache of its own. `undefined`: it shares the cache it is used on. */
  readonly limits: CacheOptions | undefined
}

const OPTIONS = new Set([
  ...['name', 'version', 'schema', 'migrate', 'ttl', 'sliding'],
  ...['maxItems', 'sizeLimit', 'evictionPolicy', 'maxItemSize', 'memory'],
])
const resolved = knownCaches().models as WeakMap<object, ResolvedModel>

/**
 * Defines a kind of values: their schema and how they are cached. `cache.model(model)` is a cache of such values.
 *
 * Without `maxItems`, `sizeLimit`, `evictionPolicy`, `maxItemSize` and `memory` its entries are entries of the cache,
 * under the limits and the policy of the cache. With one of them the model has a database of its own below the
 * directory of the cache, with limits that are independent of those of the cache.
 *
 * @example
 * const User = defineModel({ name: 'User', version: 2, schema: z.object({ name: z.string() }), ttl: '1h' })
 * const users = cache.model(User)
 * await users.put(1, { name: 'Ann' })
 *
 * @throws TypeError for a wrong schema, wrong types and unknown options; RangeError for values out of range
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
    // Larger values become files, which are never kept in memory.
    ...(maxItemSize !== undefined && { disk: { minFileSize: maxItemSize + 1 } }),
  }
  resolveOptions('Cache', limits)
  return limits
}

/** Makes the memory tier slide like the model, unless `memory` says otherwise. */
function slidingToo(memory: MemoryOptions, sliding = false): MemoryOptions {
  if (typeof memory !== 'object' || memory === null) return memory
  const { ttl = Number.POSITIVE_INFINITY } = memory
  const slides = sliding && ttl !== Number.POSITIVE_INFINITY && memory.sliding === undefined
  return slides ? { ...memory, sliding } : memory
}
