import { EventEmitter } from 'node:events'
import type { RefusalReason } from './errors.js'
import { checkEventName } from './option-names.js'
import type { Key } from './options.js'
import { nextTick } from './timers.js'

/** The payload of the event `evict`. */
export interface EvictEvent {
  /** The key of the entry. */
  readonly key: Key
  /** Bytes of its value file; 0 for a value in the database. */
  readonly size: number
  /** What was exceeded: `'size'` the limit of bytes, `'items'` that of entries, `'full'` the file system. */
  readonly reason: 'size' | 'items' | 'full'
}

/** The payload of the event `refused`. */
export interface RefusedEvent {
  /** The key of the entry. Absent when the verb concerns several keys. */
  readonly key?: Key
  /** Why the write was refused. */
  readonly reason: RefusalReason
  /** The error with which a `Cache` rejects. */
  readonly error: Error
}

/** The payload of the event `timeout`. */
export interface TimeoutEvent {
  /** The key of the entry. Absent when the verb concerns several keys. */
  readonly key?: Key
  /** The directory of the cache. */
  readonly directory: string
}

/** The payload of the event `quarantine`. */
export interface QuarantineEvent {
  /** The directory of the damaged database. */
  readonly directory: string
  /** The path to which it was moved. */
  readonly path: string
  /** What is damaged. */
  readonly error: Error
}

/** The events of a cache and their payloads. */
export interface CacheEvents {
  /** An entry was evicted to stay under a limit. */
  readonly evict: EvictEvent
  /** A write was refused. */
  readonly refused: RefusedEvent
  /** A verb gave up waiting for a lock. */
  readonly timeout: TimeoutEvent
  /** Something failed outside of any verb, such as upkeep, statistics or repairs. */
  readonly error: Error
  /** A damaged database was moved aside, and a new one created. */
  readonly quarantine: QuarantineEvent
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
