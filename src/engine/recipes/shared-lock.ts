import { isTraced } from '../observe/verbs.js'
import type { Lease } from './lease.js'
import type { LeasedLock } from './leased-lock.js'
import type { Acquiring } from './lock-options.js'

/** The verbs of locks and semaphores. */
export abstract class SharedLock {
  readonly #lock: LeasedLock

  /** @param lock a LeasedLock, typed `object` to keep internals out of the declarations of the package */
  protected constructor(lock: object) {
    this.#lock = lock as LeasedLock
  }

  /**
   * Waits for the lock and resolves to its lease. Callers of one process get it in the order in which they asked.
   *
   * @throws LockTimeoutError after `timeout`; the reason of `signal`; RangeError on a cache that may evict, unless
   *   `allowEviction` is set; ReadonlyError; DiskCacheError when the cache is closed meanwhile
   */
  acquire(options?: Acquiring): Promise<Lease> {
    const lock = this.#lock
    return isTraced() ? lock.traced('acquire', () => lock.acquire(options)) : lock.acquire(options)
  }

  /** Acquires the lock only if it is free and no other caller of this process waits for it. Otherwise `undefined`. */
  tryAcquire(): Promise<Lease | undefined> {
    return this.#lock.traced('tryAcquire', () => this.#lock.tryAcquire())
  }

  /** Tells whether the lock is held, by this or another process, so that nobody could acquire it now. */
  locked(): Promise<boolean> {
    return this.#lock.traced('locked', () => this.#lock.locked())
  }
}
