import type { CacheHandle } from './cache-handle.js'
import { CacheVerbs, opaqueHandleOf } from './cache-verbs.js'
import type { EncodedKey } from './disk/codec.js'
import { knownCaches } from './known-caches.js'
import { kindOf } from './option-names.js'
import type { Key, Storing } from './options.js'
import type { CacheLike } from './recipes/cache-like.js'

/** The handle of a cache, for the classes of this package. */
export function handleOf(cache: CacheVerbs): CacheHandle {
  return (cache instanceof CacheVerbs ? opaqueHandleOf(cache) : known.handles.get(cache)) as CacheHandle
}

/** The handle of a cache of either build of the package. `undefined` for a view and for anything else. */
export function ownHandleOf(cache: unknown): CacheHandle | undefined {
  if (typeof cache !== 'object' || cache === null) return undefined
  return cache instanceof CacheVerbs ? handleOf(cache) : (known.handles.get(cache) as CacheHandle | undefined)
}

/** The access to the engine for recipes and doors, which take a cache or a view of one. */
export interface EngineAccess {
  readonly handle: CacheHandle
  /** Translates a key of the view into the key of the cache. @throws TypeError when it is no key */
  hostKey(key: Key): Key
  encodeKey(key: Key): EncodedKey
  /**
   * Translates a prefix of text keys of the view into a prefix of keys of the cache. `undefined` when that prefix would
   * match other keys as well.
   */
  hostPrefix(prefix: string): string | undefined
  /** Adds the defaults of the view to the options of a storing verb. */
  storing<O extends Storing | undefined>(options: O): O
}

const known = knownCaches()

/** Registers a view, so that recipes and doors accept it like a cache. */
export function registerView(view: object, access: Omit<EngineAccess, 'encodeKey'>): EngineAccess {
  const { handle, hostKey } = access
  const complete = { ...access, encodeKey: (key: Key) => handle.encodeKey(hostKey(key)) }
  known.views.set(view, complete)
  return complete
}

/** The access to the engine of a cache or view of this package. `undefined` for anything else. */
export function accessOf(cache: unknown): EngineAccess | undefined {
  if (typeof cache !== 'object' || cache === null) return undefined
  const handle = ownHandleOf(cache)
  if (!handle) return known.views.get(cache) as EngineAccess | undefined
  return {
    handle,
    hostKey: key => key,
    hostPrefix: prefix => prefix,
    storing: options => options,
    encodeKey: key => handle.encodeKey(key),
  }
}

/** Registers the cache of a model, which is no cache to recipes and doors. */
export function registerModelCache(modelCache: object, access: EngineAccess): void {
  known.modelCaches.set(modelCache, access)
}

/** The access to the engine of the cache of a model. `undefined` for anything else. */
export function accessOfModel(modelCache: object): EngineAccess | undefined {
  return known.modelCaches.get(modelCache) as EngineAccess | undefined
}

/** The access of what a recipe or door is given: a cache, a view, or what has one. @throws TypeError for anything else */
export function accessEngine(cache: CacheLike, user: string): EngineAccess {
  const access = accessOf(cache) ?? accessOf((cache as { cache?: unknown } | undefined)?.cache)
  if (access) return access
  throw new TypeError(`${user} needs a Cache or FanoutCache, got ${kindOf(cache)}`)
}
