import Installed, { type Keyv } from 'keyv'
import type { CacheSource } from '../open-cache.js'
import { type CreateKeyvOptions, createKeyvOf } from './create-keyv.js'

/**
 * Creates a Keyv 5 on disk. Values are stored without Keyv's serializer, so that Map, Set, Date, bigint, Buffer and
 * typed arrays are read back equal. They expire in the cache itself. `disconnect()` ends its use of the cache.
 *
 * @param source a directory, options with one, or a cache, which stays open
 * @throws TypeError for misspelt options, and when another major version of Keyv is installed
 * @example
 * const users = createKeyv('/var/cache/app', { namespace: 'users', ttl: '5m' })
 */
export function createKeyv<Value = unknown>(
  source: CacheSource | CreateKeyvOptions,
  options?: CreateKeyvOptions,
): Keyv<Value> {
  return createKeyvOf(Installed, source, options) as Keyv<Value>
}
