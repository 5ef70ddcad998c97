import type { DiskCache } from '../contract.js'

/** A cache, or what is kept in one, such as an `Index`. */
export type CacheLike = DiskCache | { readonly cache: DiskCache }
