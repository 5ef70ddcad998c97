import { checkComputing, checkOptionNames, nowOf } from '../../engine/for-adapters.js'
import { type DiskCache, DiskCacheError, type Duration, type Info } from '../../engine/index.js'
import { setImmediate } from '../../engine/timers.js'
import { type ExpectedWrite, expectWrite, forgetWrite } from '../expected-writes.js'
import { isDiskCache } from '../open-cache.js'
import { computeWithin, isOwnComputation } from '../own-computation.js'
import { hostTtl } from '../ttl.js'
import { valueFor, valueFrom } from './cache-manager-store.js'

/** Time to live of a value until cache-manager stores it, when only cache-manager knows the final one. Milliseconds. */
const UNTIL_STORED = 10_000

/** The store on disk among the stores of a cache. */
interface Tier {
  readonly cache: DiskCache
  keyOf(key: string): string
  readonly isCacheable?: (value: unknown) => boolean
}

type Compute = () => unknown
type Wrap = (key: string, compute: Compute, ...rest: unknown[]) => Promise<unknown>

/** Options of `singleFlight`. */
export interface SingleFlightOptions {
  /** How long a computing process may give no sign of life before another takes over. @default 10_000 */
  readonly lease?: Duration | undefined
}

/** One call of `wrap`. */
interface Call {
  readonly tier: Tier
  readonly key: string
  readonly compute: Compute
  /** The argument of `wrap`: milliseconds or a function of the value. */
  readonly ttl: unknown
  readonly began: number
  readonly options: SingleFlightOptions
  /** The value that cache-manager will store. */
  expected?: ExpectedWrite
  /** The stored form of a value of which only cache-manager knows for how long it is kept. */
  provisional?: { readonly value: unknown }
}

/**
 * Makes `wrap` of a cache of cache-manager 5, 6 or 7 compute a missing value once over all processes of the machine.
 * One process computes and the others wait for its value; when it dies, another takes over. One of the stores must be
 * on disk, a `diskStore` or a Keyv of this package; stores before it are still asked first. All other methods are
 * unchanged. A refresh in the background (`refreshThreshold`) takes place once in each process.
 *
 * @throws TypeError when the cache has no store of this package, and for unknown options; TypeError or RangeError for a
 *   wrong lease
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
    const full = tier.keyOf(key)
    // cache-manager would wait for itself as well.
    if (isOwnComputation(tier.cache, full)) return compute()
    const within: Compute = () => computeWithin(tier.cache, full, compute)
    const call: Call = { tier, key: full, compute: within, ttl: ttlOf(rest[0]), began, options }
    try {
      return await wrap(key, () => once(call), ...rest)
    } finally {
      forget(call)
    }
  }
  return { ...cache, wrap: shared }
}

interface Made {
  readonly value: unknown
}

/** What a computation can say of its value. */
interface Computing {
  ttl(ttl: number | null): void
  skip(): void
}

/** Computes a value once. Called by cache-manager when it has found no value or wants a fresh one. */
async function once(call: Call): Promise<unknown> {
  const { tier, key, compute, began, options } = call
  const { cache } = tier
  let computed = false
  let made: Made | undefined
  const factory = async (context: Computing): Promise<unknown> => {
    computed = true
    const value = await compute()
    made = { value }
    return storedAs(value, call, context)
  }
  try {
    const found = await cache.info(key)
    // The value existed when cache-manager looked, so a fresh one is wanted.
    if (found && found.storedAt < began) {
      computed = true
      const value = await compute()
      expectRefreshed(call, value, found)
      return value
    }
    const stored = await cache.getOrSet(key, factory, options)
    // The caller that computed gets the same object, as from any cache of cache-manager.
    if (made) {
      if (call.provisional) await expectFinal(call, call.provisional.value)
      return (made as Made).value
    }
    const value = valueFrom(stored)
    if (value !== undefined) {
      // Stored again, it would live too long, and outlive a removal that came first.
      expect(call, valueFor(cache, value))
      return value
    }
    if (found === undefined) return value
    // cache-manager 6 and 7 store an undefined too, and take it for a miss.
    computed = true
    return await compute()
  } catch (error) {
    if (made) {
      // cache-manager will try to store it, and its store will report the error.
      forget(call)
      return (made as Made).value
    }
    // An error of the cache must not prevent the computation.
    if (computed || !(error instanceof DiskCacheError)) throw error
    return compute()
  }
}

/** Answers the form in which a value is stored, and says for how long: not at all, where cache-manager would not. */
function storedAs(value: unknown, call: Call, context: Computing): unknown {
  const { tier, ttl } = call
  const given = hostTtl(typeof ttl === 'function' ? ttl(value) : ttl)
  const stored = valueFor(tier.cache, value)
  if (value === undefined || given === 0 || tier.isCacheable?.(value) === false) context.skip()
  else {
    context.ttl(given === undefined ? UNTIL_STORED : given)
    if (given === undefined) call.provisional = { value: stored }
    else expect(call, stored)
  }
  return value === undefined ? undefined : stored
}

/** Keeps cache-manager from storing what the cache has. */
function expect(call: Call, value: unknown, store?: ExpectedWrite['store']): void {
  call.expected = { cache: call.tier.cache, key: call.key, value, store }
  expectWrite(call.expected)
}

/** Lets cache-manager store a value with its own time to live, unless it was removed since it was computed. */
async function expectFinal(call: Call, value: unknown): Promise<void> {
  const { cache } = call.tier
  const mine = await cache.info(call.key)
  expect(
    call,
    value,
    storingIf(call, now => mine !== undefined && now?.version === mine.version),
  )
}

/** Lets cache-manager replace a value, unless that was removed or replaced meanwhile. It may have expired. */
function expectRefreshed(call: Call, fresh: unknown, { version, expiresAt = Number.POSITIVE_INFINITY }: Info): void {
  const { tier, key } = call
  const { cache } = tier
  const store = storingIf(call, now => (now ? now.version === version : expiresAt <= nowOf(cache)))
  const write = { cache, key, value: valueFor(cache, fresh), store, stays: true }
  expectWrite(write)
  // All callers that wait for a refresh store its value at once, and none may come.
  setImmediate(() => forgetWrite(write))
}

/** Stores a value if that is right for the present entry of its key. */
function storingIf(
  { tier, key }: Call,
  isRight: (now: Info | undefined) => boolean,
): NonNullable<ExpectedWrite['store']> {
  return async ({ value, ttl }) => {
    await tier.cache.transact(
      tx => {
        if (!isRight(tx.info(key))) return
        if (ttl === 0) tx.delete(key)
        else tx.set(key, value, ttl === undefined ? undefined : { ttl })
      },
      { keys: [key], retry: true },
    )
  }
}

function forget({ expected }: Call): void {
  if (expected) forgetWrite(expected)
}

function ttlOf(option: unknown): unknown {
  const isOptions = typeof option === 'object' && option !== null
  return isOptions ? (option as { readonly ttl?: unknown }).ttl : option
}

/** Finds the first store on disk. */
export function tierOf(cache: object): Tier | undefined {
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
