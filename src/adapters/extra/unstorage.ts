import { kindOf, removePrefix } from '../../engine/for-adapters.js'
import type { DiskCache, Duration, Info } from '../../engine/index.js'
import { Door, Namespaced } from '../namespaced.js'
import { type CacheSource, type DoorOptions, openCache, strictOptionsOf } from '../open-cache.js'
import { hostTtl, timeLeft } from '../ttl.js'

/** Options of one call. `ttl` is in seconds, as in other drivers of unstorage, or a string such as '5m'. */
export interface TransactionOptions {
  readonly ttl?: Duration
}

/** Metadata of an item. `ttl` is in seconds. A type alias, because unstorage requires an index signature. */
export type ItemMeta = { readonly mtime: Date; readonly atime: Date; readonly size: number; readonly ttl?: number }

/** Options of `diskDriver`. */
export interface DiskDriverOptions extends DoorOptions {
  /** Prefix of the keys. @default 'unstorage' */
  readonly base?: string
  /** Time to live of items stored without one: seconds or a string such as '5m'. @default they never expire */
  readonly ttl?: Duration
}

/** A driver for `createStorage({ driver })` of unstorage. */
export interface DiskDriver {
  readonly name: string
  readonly flags: { readonly ttl: true }
  readonly options: DiskDriverOptions
  getInstance(): DiskCache
  hasItem(key: string): Promise<boolean>
  getItem(key: string): Promise<string | number | boolean | object | null>
  getItemRaw(key: string): Promise<unknown>
  getItems(items: readonly { readonly key: string }[]): Promise<{ key: string; value: string | null }[]>
  setItem(key: string, value: string, options?: TransactionOptions): Promise<void>
  setItemRaw(key: string, value: unknown, options?: TransactionOptions): Promise<void>
  setItems(
    items: readonly { readonly key: string; readonly value: string; readonly options?: TransactionOptions }[],
    common?: TransactionOptions,
  ): Promise<void>
  removeItem(key: string): Promise<void>
  getMeta(key: string): Promise<ItemMeta | null>
  getKeys(base?: string): Promise<string[]>
  clear(base?: string): Promise<void>
  dispose(): Promise<void>
}

/**
 * Creates a driver on disk for unstorage. `setItemRaw` preserves values such as Buffer, Map and Date.
 *
 * @throws TypeError when no directory is given and for misspelt options; RangeError for values out of range
 * @example
 * const storage = createStorage({ driver: diskDriver('/var/cache/app') })
 */
export function diskDriver(source: CacheSource | DiskDriverOptions, given: DiskDriverOptions = {}): DiskDriver {
  const { base = 'unstorage', ttl, ...options } = strictOptionsOf(source, given, 'diskDriver', ['base', 'ttl'])
  const door = new Door(openCache(options, 'diskDriver'))
  const space = new Namespaced(door, base)
  const common = lifeOf(ttl)
  const ttlOf = (own: unknown): number | null | undefined => (own === undefined || own === null ? common : lifeOf(own))
  const store = (key: string, value: unknown, own?: TransactionOptions): Promise<void> =>
    space.set({ key, value, ttl: ttlOf(own?.ttl) })
  const read = async <T>(key: string): Promise<T | null> => (await space.get<T>(key))?.value ?? null
  return {
    name: 'fanout-cache',
    flags: { ttl: true },
    options: { base, ...(ttl !== undefined && { ttl }), ...options },
    getInstance: () => door.cache,
    hasItem: key => space.has(key),
    getItem: read,
    getItemRaw: read,
    getItems: items => Promise.all(items.map(async ({ key }) => ({ key, value: await read<string>(key) }))),
    setItem: store,
    setItemRaw: store,
    setItems: async (items, shared) => {
      const stored = await space.setMany(
        items.map(({ key, value, options: own }) => ({ key, value, ttl: ttlOf(own?.ttl ?? shared?.ttl) })),
      )
      if (stored.includes(false)) throw door.refusal()
    },
    removeItem: async key => {
      await space.delete(key)
    },
    getMeta: async key => metaOf(await door.cache.info(space.keyOf(key))),
    getKeys: (below = '') => keysBelow(space, below),
    clear: async (below = '') => {
      await removePrefix(door.cache, space.prefix + below)
    },
    dispose: () => door.close(),
  }
}

function metaOf(info: Info | undefined): ItemMeta | null {
  if (!info) return null
  const left = timeLeft(info.expiresAt)
  const times = { mtime: new Date(info.storedAt), atime: new Date(info.accessedAt), size: info.size }
  return left === undefined ? times : { ...times, ttl: Math.ceil(left / 1000) }
}

async function keysBelow(space: Namespaced, below: string): Promise<string[]> {
  const keys: string[] = []
  for await (const key of space.keys(below)) keys.push(key)
  return keys
}

/**
 * Converts seconds or a string to the `ttl` of the engine.
 *
 * @throws TypeError when it is neither; RangeError when wrong
 */
function lifeOf(ttl: unknown): number | null | undefined {
  if (typeof ttl === 'number') return hostTtl(ttl * 1000)
  if (ttl === undefined || ttl === null || typeof ttl === 'string') return hostTtl(ttl)
  throw new TypeError(`ttl must be seconds or a string such as '5m', got ${kindOf(ttl)}`)
}
