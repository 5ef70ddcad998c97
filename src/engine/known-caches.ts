/** Both builds of the package, ESM and CommonJS, find each other's caches here. */
const REGISTRY = Symbol.for('fanout-cache.caches.0')

/** The handles of caches, how views reach theirs, and what models say. What it is, only those know who put it there. */
export interface KnownCaches {
  readonly handles: WeakMap<object, object>
  readonly views: WeakMap<object, object>
  readonly models: WeakMap<object, object>
}

export function knownCaches(): KnownCaches {
  const place = globalThis as { [REGISTRY]?: KnownCaches }
  place[REGISTRY] ??= { handles: new WeakMap(), views: new WeakMap(), models: new WeakMap() }
  return place[REGISTRY]
}
