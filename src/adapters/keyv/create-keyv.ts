import { createRequire } from 'node:module'
import type { Keyv, KeyvOptions } from 'keyv'
import { type CacheSource, type DoorOptions, optionsOf } from '../open-cache.js'
import { defaultTtl } from '../ttl.js'
import { KeyvValueStore } from './keyv-disk-store.js'

/** Options of Keyv, and of the cache: `directory`, `sizeLimit`, `shards`, … */
export interface CreateKeyvOptions extends DoorOptions {
  /** @default none: an own place beside all namespaces */
  readonly namespace?: string
  /** Time to live of values stored without one: milliseconds or `'5m'`. @default they never expire */
  readonly ttl?: number | string
  readonly emitErrors?: boolean
  readonly throwOnErrors?: boolean
  readonly stats?: boolean
}

type KeyvClass = new (options: KeyvOptions) => Keyv

/** What would have no effect, since nothing makes a string of the values. */
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
    // Given as undefined they are switched off; left out they are Keyv's own.
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

/** The Keyv that the app has installed. @throws Error when there is none */
export function installedKeyv(): unknown {
  return createRequire(import.meta.url)('keyv')
}

/** The class in what a module of Keyv exports, however it was loaded: as a module, by `require`, or of Keyv 4. */
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

/** @throws TypeError for Keyv 4 and 6 */
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
