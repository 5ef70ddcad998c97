import type { EncodedKey } from '../disk/codec.js'
import { leaseName } from '../operations/leases.js'
import { entryLock } from '../operations/locks.js'
import { checkOptionNames, checkOptionsObject } from '../option-names.js'
import type { Key } from '../options.js'
import type { CacheLike } from './cache-like.js'
import { type Kept, LeasedLock } from './leased-lock.js'
import type { LockOptions } from './lock-options.js'

const OPTIONS = new Set(['ttl', 'allowEviction'])

/** A lock stored as an entry of the cache, as Python's `Lock` is. The two exclude each other on one key. */
export function newEntryLock(kind: string, cache: CacheLike, key: Key, options: LockOptions): LeasedLock {
  checkOptionsObject(options, kind)
  checkOptionNames(options, OPTIONS, kind)
  const keep = (encoded: EncodedKey): Kept => ({ rules: entryLock(encoded), lineName: leaseName('lock', encoded) })
  return new LeasedLock(kind, cache, key, options, keep)
}
