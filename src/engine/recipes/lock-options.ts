import type { Duration } from '../time.js'

/** Options of locks. */
export interface LockOptions {
  /**
   * How long a holder may give no sign of life before it counts as dead. A living holder extends its lease by itself.
   * At least 20 milliseconds.
   *
   * @default 30_000
   */
  readonly ttl?: Duration | undefined
  /** Allows a cache that may evict the lock when it is full. Without it `acquire` rejects there. @default false */
  readonly allowEviction?: boolean | undefined
}

/** How `acquire` waits. */
export interface Acquiring {
  /** The longest wait. @default no limit */
  readonly timeout?: Duration | undefined
  /** Ends the wait when it is aborted. `acquire` then rejects with the reason of the signal. */
  readonly signal?: AbortSignal | undefined
}
