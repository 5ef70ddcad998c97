import type { Key } from '../options.js'
import type { CacheLike } from './cache-like.js'
import { newEntryLock } from './entry-lock.js'
import type { LockOptions } from './lock-options.js'
import { SharedLock } from './shared-lock.js'

/**
 * A lock shared by all processes of the directory. Its holder has a lease, which is extended while the process lives
 * and ends by itself after a crash. Only the holder can release it. It excludes Python's `Lock` on the same key and is
 * excluded by it.
 *
 * @example
 * await using lease = await new Lock(cache, 'report').acquire({ timeout: '5s' })
 */
export class Lock extends SharedLock {
  /** @throws TypeError for a wrong cache, key or option; RangeError for a ttl below 20 milliseconds or infinite */
  constructor(cache: CacheLike, key: Key, options: LockOptions = {}) {
    super(newEntryLock('Lock', cache, key, options))
  }
}
