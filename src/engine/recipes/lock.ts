import type { Key } from '../options.js'
import type { CacheLike } from './cache-like.js'
import { newEntryLock } from './entry-lock.js'
import type { LockOptions } from './lock-options.js'
import { SharedLock } from './shared-lock.js'

/**
 * A lock over all processes of the directory. Whoever has it holds a lease, which is extended while its process lives and
 * ends by itself when it does not. Only the owner can release it. Python's `Lock` on the same key and this one exclude
 * each other.
 *
 * @example
 * await using lease = await new Lock(cache, 'report').acquire({ timeout: '5s' })
 */
export class Lock extends SharedLock {
  /** @throws TypeError for what is no cache, no key, or an unknown option; RangeError for a ttl out of range */
  constructor(cache: CacheLike, key: Key, options: LockOptions = {}) {
    super(newEntryLock('Lock', cache, key, options))
  }
}
