import type { Keyv, KeyvOptions } from 'keyv'
import { ownRequire } from '../../engine/own-place.js'
import { type CacheSource, type DoorOptions, optionsOf } from '../open-cache.js'
import { defaultTtl } from '../ttl.js'
import { KeyvValueStore } from './keyv-disk-store.js'

/** Options of `createKeyv`: those of Keyv and those of the cache, such as `directory`, `sizeLimit` and `shards`. */
export interface CreateKeyvOptions extends DoorOptions {
  /** Namespace of the keys. @default none, which is separate from all namespaces */
  readonly namespace?: string | undefined
  /** Time to live of values stored without one: milliseconds or a string. @default they never expire */
  readonly ttl?: number | string | undefined
  /** Option of Keyv: emits the event `error` for failures of the store. @default true, Keyv's own */
  readonly emitErrors?: boolean | undefined
  /** Option of Keyv: rejects for failures of the store. @default false, Keyv's own */
  readonly throwOnErrors?: boolean | undefined
  /** Option of Keyv: counts hits and misses in `keyv.stats`. @default false, Keyv's own */
  readonly stats?: boolean | undefined
}

type KeyvClass = new (options: KeyvOptions) => Keyv

/** Options of Keyv that are refused, since values are not serialized. */
const SERIALIZING = ['serialize', 'deserialize', 'compression', 'serialization', 'encryption']

/** `createKeyv` for a class of Keyv 5. */
export function createKeyvOf(found: unknown, source: CacheSource, options: CreateKeyvOptions = {}): Keyv {
  const Class = checkedClass(found)
  const all = optionsOf(source, options, 'createKeyv')
  refuseSerializing(all)
  const { namespace, ttl, emitErrors, throwOnErrors, stats, ...rest } = all
  const milliseconds = defaultTtl(ttl)
  return new Class({
    store: new KeyvValueStore(rest),
    // `undefined` switches them off. Left out, they would be Keyv's own.
    serialize: undefined as never,
    deserialize: undefined as never,
    namespace: namespace as string,
    useKeyPrefix: false,
    ...(milliseconds === undefined ? undefined : { ttl: milliseconds }),
    ...(emitErrors === undefined ? undefined : { emitErrors }),
    ...(throwOnErrors === undefined ? undefined : { throwOnErrors }),
    ...(stats === undefined ? undefined : { stats }),
  })
}

/** Loads the Keyv that the app has installed. @throws Error when there is none */
export function installedKeyv(): unknown {
  try {
    return ownRequire()('keyv')
  } catch (cause) {
    if ((cause as { readonly code?: unknown }).code !== 'MODULE_NOT_FOUND') throw cause
    throw new Error(
      'diskStore.keyv needs Keyv 5 to be installed, beside a bundle too: npm install keyv@5, or give cache-manager ' +
        'stores: [createKeyv(directory)] of fanout-cache/keyv',
      { cause },
    )
  }
}

/** Finds the class in the exports of Keyv: of an ES module, of `require`, or of Keyv 4. */
export function classIn(found: unknown): unknown {
  if (typeof found !== 'object' || found === null) return found
  const { Keyv: named, default: main } = found as { readonly Keyv?: unknown; readonly default?: unknown }
  return named ?? main
}

export function refuseSerializing(options: object): void {
  const found = SERIALIZING.find(name => (options as Record<string, unknown>)[name] !== undefined)
  if (found === undefined) return
  throw new TypeError(
    `createKeyv stores values as they are, so ${found} would have no effect; with it, write ` +
      `new Keyv({ store: new KeyvDiskStore(directory), ${found} })`,
  )
}

/** Checks the class of Keyv. @throws TypeError for Keyv 4 and 6 */
function checkedClass(exported: unknown): KeyvClass {
  const found = classIn(exported)
  const { prototype } = (found ?? {}) as { readonly prototype?: object }
  if (typeof found === 'function' && prototype !== undefined && 'getRaw' in prototype && !('setRaw' in prototype)) {
    return found as KeyvClass
  }
  const is6 = prototype !== undefined && 'setRaw' in prototype
  throw new TypeError(
    is6
      ? 'fanout-cache/keyv is for Keyv 5, and Keyv 6 is installed: import createKeyv from fanout-cache/keyv6'
      : 'fanout-cache/keyv needs Keyv 5.6 or later: npm install keyv@5',
  )
}
