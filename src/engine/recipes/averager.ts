import type { DiskCache } from '../contract.js'
import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import { keyIdentity } from '../disk/keys.js'
import { accessEngine, type EngineAccess } from '../handle-of.js'
import { traced } from '../observe/verbs.js'
import { remove } from '../operations/items.js'
import { kindOf } from '../option-names.js'
import type { Key } from '../options.js'
import type { CacheLike } from './cache-like.js'
import { type NumberPair, readPair, somethingElse, storePair, toPair } from './number-pair.js'
import { cacheOf } from './targets.js'

const RECIPE = 'Averager'
const USAGE = 'new Averager(cache, key)'

/**
 * The mean of all values added under a key by all processes, including Python's `Averager` on the same key. It is an
 * entry of the cache: when the entry is evicted, cleared or deleted, the mean starts over.
 *
 * @example
 * const latency = new Averager(cache, 'latency')
 * await latency.add(12)
 * await latency.add(16)
 * await latency.get() // 14
 */
export class Averager {
  readonly #cache: DiskCache
  readonly #access: EngineAccess
  readonly #key: Key

  /** @throws TypeError for a wrong cache or key */
  constructor(cache: CacheLike, key: Key) {
    this.#cache = cacheOf(cache, USAGE)
    this.#access = accessEngine(cache, USAGE)
    this.#access.encodeKey(key)
    this.#key = key
  }

  /**
   * Adds a value. Resolves to `false` when a FanoutCache refuses the write.
   *
   * @throws RangeError for NaN and infinite values, and when the sum would become infinite; nothing is added then
   */
  add(value: number): Promise<boolean> {
    const { handle } = this.#access
    const add = (addend: number): Promise<boolean> =>
      this.#write(false, (session, key) => {
        const [total, count] = checked(readPair(session, key, session.disk.now(), RECIPE)) ?? [0, 0]
        if (!Number.isFinite(total + addend)) throw new RangeError(`${RECIPE}: the sum would no longer be finite`)
        storePair(session, key, [total + addend, count + 1], null)
        return true
      })
    return this.#traced('add', () => handle.start(() => checkValue(value), add))
  }

  /** Reads the mean. Resolves to `undefined` when nothing was added. */
  async get(): Promise<number | undefined> {
    const stored = await this.#cache.get(this.#key)
    return stored === undefined ? undefined : mean(checked(toPair(stored, RECIPE)))
  }

  /** The mean, which begins anew: over all processes one caller gets it. */
  pop(): Promise<number | undefined> {
    const pop = (): Promise<number | undefined> =>
      this.#write(undefined, (session, key) => {
        const now = session.disk.now()
        const pair = checked(readPair(session, key, now, RECIPE))
        remove(session, key, now)
        return pair && mean(pair)
      })
    return this.#traced('pop', () => this.#access.handle.ready(pop))
  }

  #traced<T>(verb: string, run: () => Promise<T>): Promise<T> {
    const { handle, hostKey } = this.#access
    return traced(handle, `${RECIPE}.${verb}`, hostKey(this.#key), run)
  }

  #write<T>(refused: T, operation: (session: Session, key: EncodedKey) => T): Promise<T> {
    const { handle, encodeKey, hostKey } = this.#access
    const key = encodeKey(this.#key)
    const run = (session: Session): T => operation(session, key)
    const call = { key: hostKey(this.#key), refused, retry: true }
    return handle.write(handle.route(key), { run, identity: keyIdentity(key) }, call)
  }
}

function checkValue(value: unknown): number {
  if (typeof value !== 'number') throw new TypeError(`${RECIPE}: value must be a number, got ${kindOf(value)}`)
  if (!Number.isFinite(value)) throw new RangeError(`${RECIPE}: value must be finite, got ${value}`)
  return value
}

/** @throws TypeError for a negative count, with which every mean would be wrong from then on */
function checked<Pair extends NumberPair | undefined>(pair: Pair): Pair {
  if (pair && pair[1] < 0) throw somethingElse(RECIPE)
  return pair
}

function mean([total, count]: NumberPair): number | undefined {
  return count === 0 ? undefined : total / count
}
