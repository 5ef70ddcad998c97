/** The global symbol under which the ESM and the CommonJS build of the package share their caches. */
const REGISTRY = Symbol.for('fanout-cache.caches.0')

/** Handles of caches, engine access of views, and definitions of models. They are opaque except to their owners. */
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
