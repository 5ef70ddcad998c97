import type { DiskCache } from '../contract.js'

/** A cache, or an object with a cache, such as an `Index`. */
export type CacheLike =
  | DiskCache
  | {
      /** The cache that is used. */
      readonly cache: DiskCache
    }
