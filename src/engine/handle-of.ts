import type { CacheHandle } from './cache-handle.js'
import { CacheVerbs, opaqueHandleOf } from './cache-verbs.js'
import type { EncodedKey } from './disk/codec.js'
import { knownCaches } from './known-caches.js'
import type { Key, Storing } from './options.js'

/** The handle of a cache, for the classes of this package. */
export function handleOf(cache: CacheVerbs): CacheHandle {
  return (cache instanceof CacheVerbs ? opaqueHandleOf(cache) : known.handles.get(cache)) as CacheHandle
}

/** The handle of a cache itself, made by whichever build of the package; `undefined` for a view, and anything else. */
export function ownHandleOf(cache: unknown): CacheHandle | undefined {
  if (typeof cache !== 'object' || cache === null) return undefined
  return cache instanceof CacheVerbs ? handleOf(cache) : (known.handles.get(cache) as CacheHandle | undefined)
}

/** How what is built on a cache, or on a view of one, reaches the engine. */
export interface EngineAccess {
  readonly handle: CacheHandle
  /** The key by which the engine knows a key of the view. @throws TypeError when it is no key */
  hostKey(key: Key): Key
  encodeKey(key: Key): EncodedKey
  /**
   * What exactly those texts begin with by which the engine knows the text keys of the view that begin with `prefix`;
   * `undefined` where others begin so as well.
   */
  hostPrefix(prefix: string): string | undefined
  /** Options of a verb that stores, with the defaults of the view. */
  storing<O extends Storing | undefined>(options: O): O
}

const known = knownCaches()

/** Makes a view known, so that recipes take it for the cache that it stands for. */
export function registerView(view: object, access: Omit<EngineAccess, 'encodeKey'>): EngineAccess {
  const { handle, hostKey } = access
  const complete = { ...access, encodeKey: (key: Key) => handle.encodeKey(hostKey(key)) }
  known.views.set(view, complete)
  return complete
}

/** The engine behind a cache of this package or a view of one; `undefined` for anything else. */
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
