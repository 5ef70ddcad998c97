import Installed, { type Keyv } from 'keyv'
import type { DiskCache } from '../../engine/index.js'
import { type CreateKeyvOptions, createKeyvOf } from './create-keyv.js'

/**
 * A Keyv 5 whose values live on disk as they are: Map, Set, Date, bigint, Buffer and typed arrays come back equal, and
 * expire in the cache itself. `disconnect()` ends its use of the engine.
 *
 * @param source a directory, options with one, or a cache, which is never closed here
 * @throws TypeError for misspelt options, and when another major of Keyv is installed
 * @example
 * const users = createKeyv('/var/cache/app', { namespace: 'users', ttl: '5m' })
 */
export function createKeyv<Value = unknown>(
  source: string | DiskCache | CreateKeyvOptions,
  options?: CreateKeyvOptions,
): Keyv<Value> {
  return createKeyvOf(Installed, source, options) as Keyv<Value>
}
