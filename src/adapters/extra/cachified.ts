import { Door, Namespaced } from '../namespaced.js'
import { type CacheSource, type DoorOptions, openCache, strictOptionsOf } from '../open-cache.js'
import { ttlUntil } from '../ttl.js'

/** What cachified notes of an entry. */
export interface CachifiedMetadata {
  /** When the value was computed, in epoch milliseconds. */
  readonly createdTime: number
  /** Time to live. Milliseconds; `null`: never expires. */
  readonly ttl?: number | null
  /** How long after `ttl` it may still be used. Milliseconds; `null`: for ever. */
  readonly swr?: number | null
  /** The former name of `swr`. */
  readonly swv?: number | null
}

/** An entry of cachified. */
export interface CachifiedEntry<Value = unknown> {
  /** What cachified notes of the entry. */
  readonly metadata: CachifiedMetadata
  /** The value of the entry. */
  readonly value: Value
}

/** A cache for the option `cache` of cachified. */
export interface CachifiedCache {
  /** The name of the cache in the reports of cachified. */
  readonly name: string
  /** Reads an entry. `undefined`: there is none. */
  get<Value = unknown>(key: string): Promise<CachifiedEntry<Value> | undefined>
  /** Stores an entry. @throws the error with which the cache refused it */
  set(key: string, entry: CachifiedEntry): Promise<void>
  /** Removes an entry. @throws the error with which the cache refused that */
  delete(key: string): Promise<void>
  /** Ends its use of the cache, which the last user on a directory closes. A cache that was passed in stays open. */
  disconnect(): Promise<void>
}

/** Options of `cachifiedDisk`. */
export interface CachifiedOptions extends DoorOptions {
  /** Namespace of the keys. @default 'cachified' */
  readonly namespace?: string | undefined
}

/**
 * Creates a cache on disk for cachified. An entry expires when its `ttl` and its `swr` are over.
 *
 * @throws TypeError when no directory is given and for misspelt options; RangeError for values out of range
 * @example
 * const cache = cachifiedDisk('/var/cache/app')
 * await cachified({ key: 'user:1', cache, ttl: 60_000, getFreshValue: () => loadUser(1) })
 */
export function cachifiedDisk(source: CacheSource | CachifiedOptions, options: CachifiedOptions = {}): CachifiedCache {
  const all = strictOptionsOf(source, options, 'cachifiedDisk', ['namespace'])
  const door = new Door(openCache(all, 'cachifiedDisk'))
  const space = new Namespaced(door, all.namespace ?? 'cachified')
  return {
    name: 'disk',
    get: async <Value>(key: string) => (await space.get<CachifiedEntry<Value>>(key))?.value,
    set: (key, value) => space.set({ key, value, ttl: ttlUntil(endOf(value)) }),
    delete: async key => {
      await space.delete(key)
    },
    disconnect: () => door.close(),
  }
}

/** The expiry of an entry. Cachified writes null for Infinity, and older versions wrote `swv`. */
function endOf({ metadata: { createdTime, ttl, swv, swr = swv } }: CachifiedEntry): number {
  if (ttl === undefined || ttl === null || swr === null) return Number.POSITIVE_INFINITY
  return createdTime + ttl + (swr ?? 0)
}
