import { EventEmitter } from 'node:events'
import type { RefusalReason } from './errors.js'
import { checkEventName } from './option-names.js'
import type { Key } from './options.js'

/** What a cache tells its listeners. */
export interface CacheEvents {
  /** An entry was removed to stay under a limit. `size`: bytes of its value file, 0 for a value in the database. */
  readonly evict: { readonly key: Key; readonly size: number; readonly reason: 'size' | 'items' | 'full' }
  /** A write was turned down. `key` is absent where a verb concerns many. */
  readonly refused: { readonly key?: Key; readonly reason: RefusalReason; readonly error: Error }
  /** A verb gave up waiting for a lock. */
  readonly timeout: { readonly key?: Key; readonly directory: string }
  /** Something failed beside any verb: upkeep, statistics, repairs. */
  readonly error: Error
  /** A damaged database was moved aside to `path`, and a fresh one made. */
  readonly quarantine: { readonly directory: string; readonly path: string; readonly error: Error }
}

export const CACHE_EVENTS: ReadonlySet<string> = new Set<keyof CacheEvents>([
  'evict',
  'refused',
  'timeout',
  'error',
  'quarantine',
])

/** Passes events on. `error` without a listener becomes one process warning instead of an exception. */
export class Events {
  readonly #emitter = new EventEmitter()
  #warned = false

  constructor() {
    // Many doors share one engine, each with listeners of its own.
    this.#emitter.setMaxListeners(0)
  }

  on<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): void {
    checkEventName(event, CACHE_EVENTS)
    this.#emitter.on(event, listener)
  }

  once<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): void {
    checkEventName(event, CACHE_EVENTS)
    this.#emitter.once(event, listener)
  }

  off<E extends keyof CacheEvents>(event: E, listener: (payload: CacheEvents[E]) => void): void {
    checkEventName(event, CACHE_EVENTS)
    this.#emitter.off(event, listener)
  }

  /** Whether it is worth making the payload. */
  heard(event: keyof CacheEvents): boolean {
    return this.#emitter.listenerCount(event) > 0
  }

  emit<E extends keyof CacheEvents>(event: E, payload: CacheEvents[E]): void {
    if (event === 'error' && !this.heard('error')) {
      if (!this.#warned) process.emitWarning(payload as Error)
      this.#warned = true
      return
    }
    try {
      this.#emitter.emit(event, payload)
    } catch (error) {
      // A listener that throws must not undo a commit that has been made; it surfaces as any uncaught error does.
      process.nextTick(() => {
        throw error
      })
    }
  }
}
