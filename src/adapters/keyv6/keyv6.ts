import Installed, { type Keyv } from 'keyv'
import { type CreateKeyvOptions, classIn, refuseSerializing } from '../keyv/create-keyv.js'
import { type CacheSource, optionsOf } from '../open-cache.js'
import { defaultTtl } from '../ttl.js'
import { KeyvValueStore } from './keyv-disk-store.js'

/** Options of `createKeyv`: those of Keyv 6 and those of the cache, such as `directory`, `sizeLimit` and `shards`. */
export type CreateKeyv6Options = Omit<CreateKeyvOptions, 'emitErrors' | 'throwOnErrors'>

type KeyvClass = new (options: Record<string, unknown>) => Keyv

/**
 * Creates a Keyv 6 on disk. Values are stored without Keyv's serializer, so that Map, Set, Date, bigint, Buffer and
 * typed arrays are read back equal. They expire in the cache itself. `disconnect()` ends its use of the cache.
 *
 * @param source a directory, options with one, or a cache, which stays open
 * @throws TypeError for misspelt options, and when another major version of Keyv is installed
 * @example
 * const users = createKeyv('/var/cache/app', { namespace: 'users', ttl: '5m' })
 */
export function createKeyv<Value = unknown>(
  source: CacheSource | CreateKeyv6Options,
  options: CreateKeyv6Options = {},
): Keyv<Value> {
  const Class = checkedClass(Installed)
  const all = optionsOf(source, options, 'createKeyv')
  refuseSerializing(all)
  const { namespace, ttl, stats, ...rest } = all
  return new Class({
    store: new KeyvValueStore(rest),
    serialization: false,
    namespace,
    ttl: defaultTtl(ttl),
    stats,
    // The engine has checked it already.
    checkExpired: false,
  }) as Keyv<Value>
}

/** Checks the class of Keyv. @throws TypeError for earlier major versions */
function checkedClass(exported: unknown): KeyvClass {
  const found = classIn(exported)
  const { prototype } = (found ?? {}) as { readonly prototype?: object }
  if (typeof found === 'function' && prototype !== undefined && 'setRaw' in prototype) return found as KeyvClass
  throw new TypeError(
    'fanout-cache/keyv6 is for Keyv 6, and an earlier one is installed: import createKeyv from fanout-cache/keyv',
  )
}
