import { Logger, type OnApplicationShutdown } from '@nestjs/common'
import { evictWholly, nowOf, RecentKeys, refuseComputed } from '../engine/for-adapters.js'
import type { DiskCache } from '../engine/index.js'
import { performance } from '../engine/timers.js'

/** The entries to remove: by key, by tag, or all. */
export interface Eviction {
  readonly keys: readonly string[]
  readonly tags: readonly string[]
  readonly all: boolean
}

/** The methods of cache managers of versions 5, 6 and 7. */
export interface ManagerLike {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown, ttl?: number): Promise<unknown>
  del(key: string): Promise<unknown>
  /** Since version 6. */
  clear?(): Promise<unknown>
  /** Up to version 5. */
  reset?(): Promise<unknown>
}

/** The parts of one registration. */
export interface CacheHostParts {
  readonly cache: DiskCache
  readonly manager: ManagerLike
  /** Prefix that the keys of the cache manager have in the cache. */
  readonly prefix: string
  /** Default time to live. Milliseconds; absent: never expires. */
  readonly ttl?: number
  readonly ignoreCookies?: boolean
  readonly close: () => Promise<void>
}

const EVICTION_MILLISECONDS = 10_000

/** Whether an injected object is a host. Tests may let Nest inject empty objects. */
export function isCacheHost(injected: unknown): injected is CacheHost {
  return typeof (injected as Partial<CacheHost> | undefined)?.keyOf === 'function'
}

/** The engine and the cache manager of one registration of `CacheModule`. It is closed with the app. */
export class CacheHost implements OnApplicationShutdown {
  readonly cache: DiskCache
  readonly manager: ManagerLike
  readonly ttl: number | undefined
  readonly ignoreCookies: boolean
  /** Keys whose answers were recently not kept. Their requests do not wait for each other. */
  readonly passing: RecentKeys = new RecentKeys(1000, 10_000)
  /** Handlers whose answers were recently found to be valid for requests with credentials too. */
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

  /** Takes the cache manager of the app, which a test may have replaced. */
  adopt(manager: ManagerLike): void {
    this.#adopted = manager
  }

  /** Whether the app has replaced our cache manager. The interceptor and the decorators then keep nothing either. */
  get isReplaced(): boolean {
    return this.#adopted !== this.manager
  }

  /** The current time in epoch milliseconds. */
  now(): number {
    return nowOf(this.cache)
  }

  /** Translates a key of the cache manager into the key of the cache. */
  keyOf(key: string): string {
    return this.#prefix + key
  }

  /** Logs a failure of the cache, without which the app goes on. */
  report(where: string, error: unknown): void {
    this.#logger.error(`${where} went on without the cache: ${error instanceof Error ? error.message : String(error)}`)
  }

  /** Removes entries. Failures are logged, since the method of the app has succeeded already. */
  async evict(eviction: Eviction, where: string): Promise<void> {
    const until = performance.now() + EVICTION_MILLISECONDS
    // First, so that what is computed meanwhile is either refused or there to be removed.
    const refusal = await this.#refuseComputed(eviction).catch((error: unknown) => ({ error }))
    const outcomes = await Promise.allSettled(this.#removals(eviction, Math.max(0, until - performance.now())))
    const failed = outcomes.filter(outcome => outcome.status === 'rejected')
    for (const { reason } of failed) this.report(where, reason)
    if (refusal && failed.length === 0) this.report(where, refusal.error)
  }

  /** Keeps from being stored what is computed from the state before an eviction. Removals by key do so themselves. */
  async #refuseComputed({ tags, all }: Eviction): Promise<undefined> {
    if (tags.length === 0 && !all) return
    const prefix = all ? this.#prefix : undefined
    await refuseComputed(this.cache, { tags, prefix }, EVICTION_MILLISECONDS)
  }

  /** @param wait for locks. Milliseconds */
  #removals({ keys, tags, all }: Eviction, wait: number): (Promise<unknown> | undefined)[] {
    const { cache } = this
    const manager = this.#adopted
    const clear = (): Promise<unknown> | undefined => manager.clear?.() ?? manager.reset?.()
    return [
      ...(all ? [clear()] : []),
      ...keys.map(key => manager.del(key)),
      ...tags.map(tag => evictWholly(cache, tag, wait)),
    ]
  }

  /** Closes the cache, after the last request was answered. */
  async onApplicationShutdown(): Promise<void> {
    this.cache.off('error', this.#listener)
    await this.#close()
  }
}
