import { leaseName } from '../operations/leases.js'
import { entryLock, type LockRules } from '../operations/locks.js'
import type { Key } from '../options.js'
import type { CacheLike } from './engine-access.js'
import { LeasedLock, type LockOptions } from './leased-lock.js'

export const LOCK_OPTIONS: ReadonlySet<string> = new Set(['ttl', 'allowEviction'])

/** A lock kept as an entry of the cache, as Python's `Lock` is: on one key the two exclude each other. */
export abstract class EntryLock extends LeasedLock {
  protected override readonly rules: LockRules
  protected override readonly lineName: string

  protected constructor(kind: string, cache: CacheLike, key: Key, options: LockOptions) {
    super(kind, cache, key, options, LOCK_OPTIONS)
    this.rules = entryLock(this.encoded)
    this.lineName = leaseName('lock', this.encoded)
  }
}

/**
 * A lock over all processes of the directory. Whoever has it holds a lease, which is extended while its process lives and
 * ends by itself when it does not. Only the owner can release it.
 *
 * @example
 * await using lease = await new Lock(cache, 'report').acquire({ timeout: '5s' })
 */
export class Lock extends EntryLock {
  /** @throws TypeError for what is no cache, no key, or an unknown option; RangeError for a ttl out of range */
  constructor(cache: CacheLike, key: Key, options: LockOptions = {}) {
    super('Lock', cache, key, options)
  }
}
