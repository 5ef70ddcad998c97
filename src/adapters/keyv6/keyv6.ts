import Installed, { type Keyv } from 'keyv'
import type { DiskCache } from '../../engine/index.js'
import { type CreateKeyvOptions, classIn, refuseSerializing } from '../keyv/create-keyv.js'
import { optionsOf } from '../open-cache.js'
import { defaultTtl } from '../ttl.js'
import { KeyvValueStore } from './keyv-disk-store.js'

/** Options of Keyv 6, and of the cache: `directory`, `sizeLimit`, `shards`, … */
export type CreateKeyv6Options = Omit<CreateKeyvOptions, 'emitErrors' | 'throwOnErrors'>

type KeyvClass = new (options: Record<string, unknown>) => Keyv

/**
 * A Keyv 6 whose values live on disk as they are: Map, Set, Date, bigint, Buffer and typed arrays come back equal, and
 * expire in the cache itself. `disconnect()` ends its use of the engine.
 *
 * @param source a directory, options with one, or a cache, which is never closed here
 * @throws TypeError for misspelt options, and when another major of Keyv is installed
 * @example
 * const users = createKeyv('/var/cache/app', { namespace: 'users', ttl: '5m' })
 */
export function createKeyv<Value = unknown>(
  source: string | DiskCache | CreateKeyv6Options,
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
    // The engine has looked already.
    checkExpired: false,
  }) as Keyv<Value>
}

/** @throws TypeError for earlier majors */
function checkedClass(exported: unknown): KeyvClass {
  const found = classIn(exported)
  const { prototype } = (found ?? {}) as { readonly prototype?: object }
  if (typeof found === 'function' && prototype !== undefined && 'setRaw' in prototype) return found as KeyvClass
  throw new TypeError(
    'fanout-cache/keyv6 is for Keyv 6, and an earlier one is installed: import createKeyv from fanout-cache/keyv',
  )
}
