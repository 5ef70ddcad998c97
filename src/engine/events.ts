import { EventEmitter } from 'node:events'
import type { RefusalReason } from './errors.js'
import { checkEventName } from './option-names.js'
import type { Key } from './options.js'
import { nextTick } from './timers.js'

/** The events of a cache and their payloads. */
export interface CacheEvents {
  /** An entry was evicted to stay under a limit. `size`: bytes of its value file, 0 for a value in the database. */
  readonly evict: { readonly key: Key; readonly size: number; readonly reason: 'size' | 'items' | 'full' }
  /** A write was refused. `key` is absent when the verb concerns several keys. */
  readonly refused: { readonly key?: Key; readonly reason: RefusalReason; readonly error: Error }
  /** A verb gave up waiting for a lock. `key` is absent when the verb concerns several keys. */
  readonly timeout: { readonly key?: Key; readonly directory: string }
  /** Something failed outside of any verb, such as upkeep, statistics or repairs. */
  readonly error: Error
  /** A damaged database was moved aside to `path`, and a new one created. */
  readonly quarantine: { readonly directory: string; readonly path: string; readonly error: Error }
}

export const CACHE_EVENTS: ReadonlySet<string> = new Set<keyof CacheEvents>([
  'evict',
  'refused',
  'timeout',
  'error',
  'quarantine',
])

/** The event emitter of a cache. Without a listener, the first `error` becomes a process warning, not an exception. */
export class Events {
  readonly #emitter = new EventEmitter()
  #warned = false

  constructor() {
    // Many doors share one engine, and each adds listeners.
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

  /** Whether an event has listeners, so that building its payload is worth it. */
  heard(event: keyof CacheEvents): boolean {
    return this.#emitter.listenerCount(event) > 0
  }

  emit<E extends keyof CacheEvents>(event: E, payload: CacheEvents[E]): void {
    if (event === 'error' && !this.heard('error')) {
      if (!this.#warned) process.emitWarning(payload as Error)
      this.#warned = true
      return
    }
    emitSafely(this.#emitter, event, payload)
  }
}

/** Emits an event. A listener that throws does not disturb what the event tells of: its error surfaces as an uncaught one. */
export function emitSafely(emitter: EventEmitter, event: string, payload: unknown): void {
  try {
    emitter.emit(event, payload)
  } catch (error) {
    nextTick(() => {
      throw error
    })
  }
}
