import { Door, Namespaced } from '../namespaced.js'
import { type CacheSource, type DoorOptions, openCache, strictOptionsOf } from '../open-cache.js'
import { ttlUntil } from '../ttl.js'

/** An entry as cachified has it: times in milliseconds, `createdTime` an instant. */
export interface CachifiedEntry<Value = unknown> {
  readonly metadata: {
    readonly createdTime: number
    /** null: for ever, as for `swr`. */
    readonly ttl?: number | null
    readonly swr?: number | null
    /** The name that `swr` had. */
    readonly swv?: number | null
  }
  readonly value: Value
}

/** A cache for the option `cache` of cachified. */
export interface CachifiedCache {
  readonly name: string
  get<Value = unknown>(key: string): Promise<CachifiedEntry<Value> | undefined>
  set(key: string, entry: CachifiedEntry): Promise<void>
  delete(key: string): Promise<void>
  /** Ends the use of the engine; the last one on a directory closes it. A cache that was given stays open. */
  disconnect(): Promise<void>
}

export interface CachifiedOptions extends DoorOptions {
  /** @default 'cachified' */
  readonly namespace?: string
}

/**
 * A cache on disk for cachified. An entry goes when its `ttl` and its `swr` are over.
 *
 * @throws TypeError when no directory is named and for misspelt options, RangeError as the constructors of caches do
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

/** When an entry is of no use any more. Cachified writes null for Infinity, and older ones wrote `swv`. */
function endOf({ metadata: { createdTime, ttl, swv, swr = swv } }: CachifiedEntry): number {
  if (ttl === undefined || ttl === null || swr === null) return Number.POSITIVE_INFINITY
  return createdTime + ttl + (swr ?? 0)
}
