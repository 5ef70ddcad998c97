import { getExpiring, systemClock } from '../../engine/for-adapters.js'
import type { DiskCache, Transaction } from '../../engine/index.js'
import { Door, Namespaced } from '../namespaced.js'
import { type CacheSource, type DoorOptions, openCache, strictOptionsOf } from '../open-cache.js'

/** How many requests a client has made, and when its count starts anew. */
export interface RateLimitInfo {
  /** How many requests were counted. */
  readonly totalHits: number
  /** When the count starts anew. */
  readonly resetTime: Date
}

/** The options of express-rate-limit that the store reads. */
export interface RateLimitConfig {
  /** How long requests are counted. Milliseconds. */
  readonly windowMs: number
}

/** Options of `DiskRateLimitStore`. */
export interface RateLimitStoreOptions extends DoorOptions {
  /** Prefix of the keys. Each limiter needs its own. @default 'rate-limit' */
  readonly prefix?: string | undefined
}

/**
 * A store for express-rate-limit. All processes share the counts of clients, and they survive restarts.
 *
 * @example
 * app.use(rateLimit({ windowMs: 60_000, limit: 100, store: new DiskRateLimitStore('/var/cache/app') }))
 */
export class DiskRateLimitStore {
  /** Tells express-rate-limit that the counts are shared by several processes. */
  readonly localKeys = false
  /** The prefix of the keys. */
  readonly prefix: string
  readonly #door: Door
  readonly #space: Namespaced
  #window = 60_000

  /** @throws TypeError when no directory is given and for misspelt options; RangeError for values out of range */
  constructor(source: CacheSource | RateLimitStoreOptions, options: RateLimitStoreOptions = {}) {
    const all = strictOptionsOf(source, options, 'DiskRateLimitStore', ['prefix'])
    this.prefix = all.prefix ?? 'rate-limit'
    this.#door = new Door(openCache(all, 'DiskRateLimitStore'))
    this.#space = new Namespaced(this.#door, this.prefix)
  }

  /** The cache that holds the counts. */
  get cache(): DiskCache {
    return this.#door.cache
  }

  /** Takes the options of express-rate-limit, which calls this. */
  init({ windowMs }: RateLimitConfig): void {
    this.#window = windowMs
  }

  /** Reads the count of a client. `undefined`: it has made no request. */
  async get(key: string): Promise<RateLimitInfo | undefined> {
    const found = await this.#space.get<number>(key)
    return found && { totalHits: found.value, resetTime: this.#resetOf(found.expiresAt) }
  }

  /** Counts a request of a client. @throws the error with which the cache refused the write */
  async increment(key: string): Promise<RateLimitInfo> {
    const full = this.#space.keyOf(key)
    this.#door.listen()
    const totalHits: number | undefined = await this.cache.incr(full, 1, { ttl: this.#window })
    // Refused, as on a full disk. The limiter decides by its option `passOnStoreError`.
    if (totalHits === undefined) throw this.#door.refusal(full)
    const found = await getExpiring(this.cache, full)
    return { totalHits, resetTime: this.#resetOf(found?.expiresAt) }
  }

  /** Takes back one request of a client, as for `skipFailedRequests`. */
  async decrement(key: string): Promise<void> {
    const full = this.#space.keyOf(key)
    // A request that ends after its window must not reduce the count of the next window.
    const takeBack = (tx: Transaction): void => {
      if ((tx.get<number>(full) ?? 0) > 0) tx.decr(full)
    }
    await this.cache.transact(takeBack, { keys: [full], retry: true })
  }

  /** Removes the count of a client. */
  async resetKey(key: string): Promise<void> {
    await this.#space.delete(key)
  }

  /** Removes the counts of all clients of this limiter. */
  async resetAll(): Promise<void> {
    await this.#space.clear()
  }

  /** Ends its use of the cache, which the last user on a directory closes. A cache that was passed in stays open. */
  async shutdown(): Promise<void> {
    await this.#door.close()
  }

  #resetOf(expiresAt: number | undefined): Date {
    return new Date(expiresAt ?? systemClock.now() + this.#window)
  }
}
