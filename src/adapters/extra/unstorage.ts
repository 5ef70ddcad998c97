import { kindOf, removePrefix } from '../../engine/for-adapters.js'
import type { DiskCache, Duration, Info } from '../../engine/index.js'
import { Door, Namespaced } from '../namespaced.js'
import { type CacheSource, type DoorOptions, openCache, strictOptionsOf } from '../open-cache.js'
import { hostTtl, timeLeft } from '../ttl.js'

/** Options of one call. */
export interface TransactionOptions {
  /** Time to live: seconds, as in other drivers of unstorage, or a string such as '5m'. @default that of the driver */
  readonly ttl?: Duration
}

/** Metadata of an item. A type alias, because unstorage requires an index signature. */
export type ItemMeta = {
  /**
   * When it was stored.
   */
  readonly mtime: Date
  /**
   * When it was last read, as far as the eviction policy keeps track of it.
   */
  readonly atime: Date
  /**
   * Bytes of the value as stored.
   */
  readonly size: number
  /**
   * Time until it expires. Seconds; absent: it never does.
   */
  readonly ttl?: number
}

/** An item that `setItems` stores. */
export interface NewItem {
  /** The key of the item. */
  readonly key: string
  /** Its value, as unstorage has serialized it. */
  readonly value: string
  /** Options of this item. @default those of the call */
  readonly options?: TransactionOptions
}

/** Which item `getItems` reads. */
export interface WantedItem {
  /** The key of the item. */
  readonly key: string
}

/** An item that `getItems` has read. */
export interface FoundItem {
  /** The key of the item. */
  key: string
  /** Its value; `null`: there is none. */
  value: string | null
}

/** What the driver can do by itself. */
export interface DriverFlags {
  /** Tells that it removes items when their `ttl` is over. */
  readonly ttl: true
}

/** Options of `diskDriver`. */
export interface DiskDriverOptions extends DoorOptions {
  /** Prefix of the keys. @default 'unstorage' */
  readonly base?: string | undefined
  /** Time to live of items stored without one: seconds or a string such as '5m'. @default they never expire */
  readonly ttl?: Duration | undefined
}

/** What the configuration of Nitro says of a mount: where its driver comes from, and the options of that. */
export interface MountOptions extends DiskDriverOptions {
  /** The module of the driver, this one. */
  readonly driver?: string | undefined
}

/** A driver for `createStorage({ driver })` of unstorage. */
export interface DiskDriver {
  /** The name of the driver. */
  readonly name: string
  /** What the driver can do by itself. */
  readonly flags: DriverFlags
  /** The options it was made with. */
  readonly options: DiskDriverOptions
  /** Returns the cache that holds the items. */
  getInstance(): DiskCache
  /** Tells whether there is an item that has not expired. */
  hasItem(key: string): Promise<boolean>
  /** Reads an item. `null`: there is none. */
  getItem(key: string): Promise<string | number | boolean | object | null>
  /** Reads an item that `setItemRaw` stored. `null`: there is none. */
  getItemRaw(key: string): Promise<unknown>
  /** Reads several items, in the order of their keys. */
  getItems(items: readonly WantedItem[]): Promise<FoundItem[]>
  /** Stores an item. @throws the error with which the cache refused it; TypeError or RangeError for a wrong `ttl` */
  setItem(key: string, value: string, options?: TransactionOptions): Promise<void>
  /** Stores any value that `structuredClone` copies. @throws as `setItem` does */
  setItemRaw(key: string, value: unknown, options?: TransactionOptions): Promise<void>
  /** Stores several items, those of one shard in one commit. @throws as `setItem` does */
  setItems(items: readonly NewItem[], common?: TransactionOptions): Promise<void>
  /** Removes an item. @throws the error with which the cache refused that */
  removeItem(key: string): Promise<void>
  /** Reads what is known of an item. `null`: there is none. */
  getMeta(key: string): Promise<ItemMeta | null>
  /** Lists the keys that begin with `base`, all without it. */
  getKeys(base?: string): Promise<string[]>
  /** Removes the items whose keys begin with `base`, all without it. */
  clear(base?: string): Promise<void>
  /** Ends its use of the cache, which the last user on a directory closes. A cache that was passed in stays open. */
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

/**
 * Creates the driver of a mount that the configuration of Nitro or Nuxt names. Nitro imports the default export, and
 * hands it all that it was told of the mount.
 *
 * @throws as `diskDriver` does
 * @example
 * export default defineNuxtConfig({
 *   nitro: { storage: { cache: { driver: 'fanout-cache/unstorage', directory: '/var/cache/app' } } },
 * })
 */
export default function mountedDriver({ driver: _itself, ...options }: MountOptions): DiskDriver {
  return diskDriver(options)
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
