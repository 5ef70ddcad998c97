import type { Duration } from '../time.js'

/** Options of locks. */
export interface LockOptions {
  /**
   * How long after its last sign of life a holder is taken for dead. A living one extends its lease by itself.
   * @default 30_000
   */
  readonly ttl?: Duration
  /** Use a cache that may evict the lock when it is full. @default false */
  readonly allowEviction?: boolean
}

/** How `acquire` waits. */
export interface Acquiring {
  /** @default as long as it takes */
  readonly timeout?: Duration
  readonly signal?: AbortSignal
}
