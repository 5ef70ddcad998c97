import { checkComputing, checkOptionNames, keepsObjects, nowOf } from '../../engine/for-adapters.js'
import { type DiskCache, DiskCacheError, type Duration } from '../../engine/index.js'
import { storeValue } from '../keyv/stored-values.js'
import { expectWrite, forgetWrite } from '../namespaced.js'
import { isDiskCache } from '../open-cache.js'
import { hostTtl } from '../ttl.js'
import { valueFrom } from './cache-manager-store.js'

/** How long a value is kept for the others when only cache-manager knows its time to live, and stores it right after. */
const UNTIL_STORED = 10_000

/** A store on disk among the stores of a cache. */
interface Tier {
  readonly cache: DiskCache
  keyOf(key: string): string
  readonly isCacheable?: (value: unknown) => boolean
}

type Compute = () => unknown
type Wrap = (key: string, compute: Compute, ...rest: unknown[]) => Promise<unknown>

export interface SingleFlightOptions {
  /** How long after its last sign of life a process that computes is taken for dead, and another takes over. @default 10_000 */
  readonly lease?: Duration
}

/** A value as `wrap` is called for it. */
interface Call {
  readonly tier: Tier
  readonly key: string
  readonly compute: Compute
  /** Milliseconds, or a function of the value; as `wrap` was given it. */
  readonly ttl: unknown
  readonly began: number
  readonly options: SingleFlightOptions
}

/**
 * A cache of cache-manager 5, 6 or 7 whose `wrap` computes a missing value once over all processes of the machine: one
 * computes, the others wait for it, and when its process dies another takes over. One of its stores must be on disk:
 * `diskStore` or a Keyv of this package; stores before it are asked first, as ever. All other methods stay as they are.
 * A refresh in the background (`refreshThreshold`) is once for each process.
 *
 * @throws TypeError when the cache has no store of this package
 * @example
 * const cache = singleFlight(createCache({ stores: [new Keyv(), diskStore.keyv({ directory })] }))
 * await cache.wrap('report', () => compute(), '5m')
 */
export function singleFlight<C extends object>(cache: C, options: SingleFlightOptions = {}): C {
  checkOptionNames(options, new Set(['lease']), 'singleFlight')
  checkComputing(options, 'singleFlight')
  const tier = tierOf(cache)
  const { wrap } = cache as { readonly wrap?: Wrap }
  if (tier === undefined || typeof wrap !== 'function') {
    throw new TypeError('singleFlight needs a cache of cache-manager one of whose stores is a diskStore')
  }
  const shared: Wrap = async (key, compute, ...rest) => {
    const began = nowOf(tier.cache)
    const call: Call = { tier, key: tier.keyOf(key), compute, ttl: ttlOf(rest[0]), began, options }
    try {
      return await wrap(key, () => once(call), ...rest)
    } finally {
      forgetWrite(tier.cache, call.key)
    }
  }
  return { ...cache, wrap: shared }
}

interface Made {
  readonly value: unknown
}

/** What cache-manager calls when it has found no value, or wants a fresh one. */
async function once({ tier, key, compute, ttl, began, options }: Call): Promise<unknown> {
  const { cache } = tier
  let computed = false
  let made: Made | undefined
  const factory = async (context: { ttl(ttl: number | null): void; skip(): void }): Promise<unknown> => {
    computed = true
    const value = await compute()
    made = { value }
    const given = hostTtl(typeof ttl === 'function' ? ttl(value) : ttl)
    const stored = storeValue(value, keepsObjects(cache))
    if (value === undefined || given === 0 || tier.isCacheable?.(value) === false) context.skip()
    else {
      context.ttl(given === undefined ? UNTIL_STORED : given)
      if (given !== undefined) expectWrite(cache, key, stored)
    }
    return value === undefined ? undefined : stored
  }
  try {
    const found = await cache.info(key)
    // It was there when cache-manager looked: a fresh one is wanted.
    if (found && found.storedAt < began) {
      computed = true
      return await compute()
    }
    const stored = await cache.getOrSet(key, factory, options)
    // Who has computed it gets that very value, as from any cache of cache-manager.
    return made ? (made as Made).value : valueFrom(stored)
  } catch (error) {
    if (made) {
      // cache-manager tries to store it, and its store says what is wrong.
      forgetWrite(cache, key)
      return (made as Made).value
    }
    // Trouble in the cache is no reason to have no value.
    if (computed || !(error instanceof DiskCacheError)) throw error
    return compute()
  }
}

function ttlOf(option: unknown): unknown {
  const isOptions = typeof option === 'object' && option !== null
  return isOptions ? (option as { readonly ttl?: unknown }).ttl : option
}

/** The first store on disk. */
function tierOf(cache: object): Tier | undefined {
  const { store, stores } = cache as {
    readonly store?: unknown
    readonly stores?: readonly { readonly store?: unknown }[]
  }
  const all = Array.isArray(stores) ? stores.map(keyv => keyv?.store) : [store]
  return all.find((one): one is Tier => {
    const { cache: engine, keyOf } = (one ?? {}) as Partial<Tier>
    return isDiskCache(engine) && typeof keyOf === 'function'
  })
}
