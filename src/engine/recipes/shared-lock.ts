import type { Lease } from './lease.js'
import type { LeasedLock } from './leased-lock.js'
import type { Acquiring } from './lock-options.js'

/** The verbs of locks and semaphores. */
export abstract class SharedLock {
  readonly #lock: LeasedLock

  /** @param lock a LeasedLock; its type is not told, so that the package's declarations do not show how it is built */
  protected constructor(lock: object) {
    this.#lock = lock as LeasedLock
  }

  /**
   * Waits for the lock. Those of one process get it in the order in which they asked.
   *
   * @throws LockTimeoutError after `timeout`; the reason of `signal`; RangeError on a cache that may evict;
   *   DiskCacheError when the cache is closed meanwhile
   */
  acquire(options?: Acquiring): Promise<Lease> {
    return this.#lock.acquire(options)
  }

  /** The lock, if it is free now and nobody of this process waits for it; `undefined` if not. */
  tryAcquire(): Promise<Lease | undefined> {
    return this.#lock.tryAcquire()
  }

  /** Whether somebody, here or elsewhere, has it, so that nobody could acquire it now. */
  locked(): Promise<boolean> {
    return this.#lock.locked()
  }
}
