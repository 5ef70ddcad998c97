import type { DiskCache } from '../contract.js'

/** A cache, or an object with a cache, such as an `Index`. */
export type CacheLike = DiskCache | { readonly cache: DiskCache }
