import { getExpiring, systemClock } from '../../engine/for-adapters.js'
import type { DiskCache, Transaction } from '../../engine/index.js'
import { Door, Namespaced } from '../namespaced.js'
import { type CacheSource, type DoorOptions, openCache, strictOptionsOf } from '../open-cache.js'

/** How often a client came, and when its count begins anew. */
export interface RateLimitInfo {
  readonly totalHits: number
  readonly resetTime: Date
}

export interface RateLimitStoreOptions extends DoorOptions {
  /** Each limiter needs one of its own. @default 'rate-limit' */
  readonly prefix?: string
}

/**
 * A store for express-rate-limit: clients are counted once over all processes, and a restart forgets nobody.
 *
 * @example
 * app.use(rateLimit({ windowMs: 60_000, limit: 100, store: new DiskRateLimitStore('/var/cache/app') }))
 */
export class DiskRateLimitStore {
  /** All processes of the directory count together. */
  readonly localKeys = false
  readonly prefix: string
  readonly #door: Door
  readonly #space: Namespaced
  #window = 60_000

  /** @throws TypeError when no directory is named and for misspelt options, RangeError as the constructors of caches do */
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

  /** express-rate-limit gives its options. */
  init({ windowMs }: { readonly windowMs: number }): void {
    this.#window = windowMs
  }

  async get(key: string): Promise<RateLimitInfo | undefined> {
    const found = await this.#space.get<number>(key)
    return found && { totalHits: found.value, resetTime: this.#resetOf(found.expiresAt) }
  }

  /** @throws the error for which the cache refused to count */
  async increment(key: string): Promise<RateLimitInfo> {
    const full = this.#space.keyOf(key)
    this.#door.listen()
    const totalHits: number | undefined = await this.cache.incr(full, 1, { ttl: this.#window })
    // A full disk refuses it: the limiter decides by its `passOnStoreError`.
    if (totalHits === undefined) throw this.#door.refusal(full)
    const found = await getExpiring(this.cache, full)
    return { totalHits, resetTime: this.#resetOf(found?.expiresAt) }
  }

  async decrement(key: string): Promise<void> {
    const full = this.#space.keyOf(key)
    // A request that ends after its window is not one of the next window, which may have none yet.
    const takeBack = (tx: Transaction): void => {
      if ((tx.get<number>(full) ?? 0) > 0) tx.decr(full)
    }
    await this.cache.transact(takeBack, { keys: [full], retry: true })
  }

  async resetKey(key: string): Promise<void> {
    await this.#space.delete(key)
  }

  async resetAll(): Promise<void> {
    await this.#space.clear()
  }

  /** Ends the use of the engine; the last one on a directory closes it. A cache that was given stays open. */
  async shutdown(): Promise<void> {
    await this.#door.close()
  }

  #resetOf(expiresAt: number | undefined): Date {
    return new Date(expiresAt ?? systemClock.now() + this.#window)
  }
}
