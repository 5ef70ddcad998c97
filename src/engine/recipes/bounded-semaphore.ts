import type { EncodedKey } from '../disk/codec.js'
import { leaseGroup } from '../operations/leases.js'
import { placesLock } from '../operations/locks.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import type { Key } from '../options.js'
import type { CacheLike } from './cache-like.js'
import { type Kept, LeasedLock } from './leased-lock.js'
import type { LockOptions } from './lock-options.js'
import { SharedLock } from './shared-lock.js'

/** Options of a semaphore. */
export interface SemaphoreOptions extends LockOptions {
  /** How many holders there may be at the same time, 1 to 10,000. All users of the key should agree. @default 1 */
  readonly value?: number | undefined
}

const OPTIONS = new Set(['ttl', 'allowEviction', 'value'])
const MOST = 10_000

/**
 * A semaphore shared by all processes of the directory. It admits at most `value` holders at a time. Each holder has a
 * lease of its own, so that the place of a dead holder becomes free and nobody can release the place of another.
 */
export class BoundedSemaphore extends SharedLock {
  /** How many holders there may be at the same time. */
  readonly value: number

  /** @throws TypeError for a wrong cache, key or option; RangeError for a `value` or `ttl` out of range */
  constructor(cache: CacheLike, key: Key, options: SemaphoreOptions = {}) {
    checkOptionsObject(options, 'BoundedSemaphore')
    checkOptionNames(options, OPTIONS, 'BoundedSemaphore')
    const value = checkValue(options.value)
    const keep = (encoded: EncodedKey): Kept => {
      const lineName = leaseGroup('semaphore', encoded)
      return { rules: placesLock(lineName, value), lineName }
    }
    super(new LeasedLock('BoundedSemaphore', cache, key, options, keep))
    this.value = value
  }
}

function checkValue(value: unknown = 1): number {
  if (typeof value !== 'number') throw new TypeError(`value must be a number, got ${kindOf(value)}`)
  if (Number.isInteger(value) && value >= 1 && value <= MOST) return value
  throw new RangeError(`value must be a whole number from 1 to ${MOST}, got ${value}`)
}
