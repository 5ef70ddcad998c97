import { createRequire } from 'node:module'
import { ownRequire } from '../engine/own-place.js'
import type { ManagerLike } from './cache-host.js'

/** The options of the cache manager. */
export interface ManagerSettings {
  readonly ttl?: number
  readonly refreshThreshold?: number
  readonly nonBlocking?: boolean
  readonly cacheId?: string
}

/** The cache-manager that the app has installed. Version 5 takes a store, versions 6 and 7 take Keyvs. */
export type InstalledManager =
  | { readonly takes: 'store'; readonly make: (store: object, settings: ManagerSettings) => Promise<ManagerLike> }
  | {
      readonly takes: 'keyvs'
      readonly make: (settings: ManagerSettings & { readonly stores: readonly object[] }) => ManagerLike
      /** Loads the Keyv that it depends on. */
      readonly keyv: () => unknown
    }

const require = ownRequire()

/** Loads the installed cache-manager. @throws Error that says what to install */
export function installedManager(): InstalledManager {
  const { caching, createCache, KeyvAdapter } = load('cache-manager')
  if (typeof createCache === 'function' && typeof KeyvAdapter === 'function') {
    return { takes: 'keyvs', make: createCache as never, keyv: installedKeyv }
  }
  if (typeof caching === 'function' && typeof createCache === 'function') {
    return { takes: 'store', make: caching as never }
  }
  throw new Error('CacheModule: fanout-cache/nest needs cache-manager 5.7, 6.4 or 7, and another version is installed')
}

function load(name: 'cache-manager'): Readonly<Record<string, unknown>> {
  try {
    return require(name)
  } catch (cause) {
    if ((cause as { readonly code?: unknown }).code !== 'MODULE_NOT_FOUND') throw cause
    throw new Error('CacheModule: fanout-cache/nest needs cache-manager: npm install cache-manager keyv@5', { cause })
  }
}

/** Finds the Keyv of cache-manager, since the app may have another major version itself. */
function installedKeyv(): unknown {
  const places = [createRequire(require.resolve('cache-manager')), require]
  for (const place of places) {
    try {
      const loaded = place('keyv') as { readonly default?: unknown }
      return loaded.default ?? loaded
    } catch {
      // Not installed here: try the next place.
    }
  }
  throw new Error('CacheModule: cache-manager 6 and 7 need Keyv 5: npm install keyv@5')
}
