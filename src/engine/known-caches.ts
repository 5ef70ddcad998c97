import { oncePerProcess } from './once-per-process.js'

/**
 * Handles of caches, engine access of views and of caches of models, and definitions of models. They are opaque except to
 * their owners.
 */
export interface KnownCaches {
  readonly handles: WeakMap<object, object>
  readonly views: WeakMap<object, object>
  readonly models: WeakMap<object, object>
  readonly modelCaches: WeakMap<object, object>
}

export function knownCaches(): KnownCaches {
  return oncePerProcess('caches', () => ({
    handles: new WeakMap(),
    views: new WeakMap(),
    models: new WeakMap(),
    modelCaches: new WeakMap(),
  }))
}
