import type { CacheHandle } from '../cache-handle.js'
import type { DiskCache } from '../contract.js'
import { accessOf, ownHandleOf } from '../handle-of.js'
import { kindOf } from '../option-names.js'

/**
 * The handle of a cache, for doors whose string keys have prefixes of their own.
 *
 * @throws TypeError when it is no cache, or is a namespace
 */
export function plainHandle(cache: DiskCache, user: string): CacheHandle {
  const handle = ownHandleOf(cache)
  if (handle) return handle
  if (accessOf(cache)) {
    throw new TypeError(
      `${user} needs the Cache or FanoutCache, got a namespace of one: give it the cache, and a name of its own with the ` +
        'option name',
    )
  }
  throw new TypeError(`${user} needs a Cache or FanoutCache, and tells its entries apart by name, got ${kindOf(cache)}`)
}
