import { Logger, type OnApplicationShutdown } from '@nestjs/common'
import { nowOf } from '../engine/for-adapters.js'
import type { DiskCache } from '../engine/index.js'
import { RecentKeys } from './recent-keys.js'

/** What is removed together. */
export interface Eviction {
  readonly keys: readonly string[]
  readonly tags: readonly string[]
  readonly all: boolean
}

/** The verbs that cache managers of versions 5, 6 and 7 have between them. */
export interface ManagerLike {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown, ttl?: number): Promise<unknown>
  del(key: string): Promise<unknown>
  /** Since 6. */
  clear?(): Promise<unknown>
  /** Up to 5. */
  reset?(): Promise<unknown>
}

/** What one registration is made of. */
export interface CacheHostParts {
  readonly cache: DiskCache
  readonly manager: ManagerLike
  /** What the keys of the cache manager begin with in the engine. */
  readonly prefix: string
  /** Default time to live in milliseconds; absent: never expires. */
  readonly ttl?: number
  readonly ignoreCookies?: boolean
  readonly close: () => Promise<void>
}

const EVICTION_MILLISECONDS = 10_000

/** Whether what was injected as a host is one: tests let Nest inject empty objects. */
export function isCacheHost(injected: unknown): injected is CacheHost {
  return typeof (injected as Partial<CacheHost> | undefined)?.keyOf === 'function'
}

/** What one registration of `CacheModule` has opened: the engine, and the cache manager over it. Closed with the app. */
export class CacheHost implements OnApplicationShutdown {
  readonly cache: DiskCache
  readonly manager: ManagerLike
  readonly ttl: number | undefined
  readonly ignoreCookies: boolean
  /** Keys whose answers turned out not to be kept: their requests are not made to wait for each other. */
  readonly passing: RecentKeys = new RecentKeys(1000, 10_000)
  /** Handlers whose answers were found to be for requests with credentials too. */
  readonly reaching: RecentKeys = new RecentKeys(1000, 60_000)
  #adopted: ManagerLike
  readonly #prefix: string
  readonly #close: () => Promise<void>
  readonly #logger = new Logger('CacheModule')
  readonly #listener = ({ message }: Error): void => this.#logger.warn(message)

  constructor({ cache, manager, prefix, ttl, ignoreCookies = false, close }: CacheHostParts) {
    this.cache = cache
    this.manager = manager
    this.#adopted = manager
    this.ttl = ttl
    this.ignoreCookies = ignoreCookies
    this.#prefix = prefix
    this.#close = close
    cache.on('error', this.#listener)
  }

  /** The cache manager that the app has: another one where a test has put its own in the place of ours. */
  adopt(manager: ManagerLike): void {
    this.#adopted = manager
  }

  /** The app does without our cache manager, and so without what the interceptor and the decorators keep beside it. */
  get isReplaced(): boolean {
    return this.#adopted !== this.manager
  }

  /** Epoch milliseconds. */
  now(): number {
    return nowOf(this.cache)
  }

  /** The key in the engine of a key of the cache manager. */
  keyOf(key: string): string {
    return this.#prefix + key
  }

  /** The cache failed, and the app went on without it. */
  report(where: string, error: unknown): void {
    this.#logger.error(`${where} went on without the cache: ${error instanceof Error ? error.message : String(error)}`)
  }

  /** Removes entries; what cannot be removed is logged, since what the app did has been done. */
  async evict({ keys, tags, all }: Eviction, where: string): Promise<void> {
    const { cache } = this
    const manager = this.#adopted
    const clear = (): Promise<unknown> | undefined => manager.clear?.() ?? manager.reset?.()
    const waiting = { retry: true, timeout: EVICTION_MILLISECONDS }
    const removals = [
      ...(all ? [clear()] : []),
      ...keys.map(key => manager.del(key)),
      ...tags.map(tag => cache.evict(tag, waiting)),
    ]
    for (const removal of await Promise.allSettled(removals)) {
      if (removal.status === 'rejected') this.report(where, removal.reason)
    }
  }

  /** After the last request was answered. */
  async onApplicationShutdown(): Promise<void> {
    this.cache.off('error', this.#listener)
    await this.#close()
  }
}
