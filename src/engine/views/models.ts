import type { CacheVerbs } from '../cache-verbs.js'
import type { DiskCache } from '../contract.js'
import { accessOf, type EngineAccess, registerModelCache } from '../handle-of.js'
import type { CacheOptions } from '../options.js'
import { type Model, resolvedModel } from './model.js'
import { ModelCache } from './model-cache.js'

const LONGEST_NAME = 200

/** The caches of models by cache or namespace. There is one for each model, so that its figures are in one place. */
const made = new WeakMap<DiskCache, WeakMap<object, object>>()

/** The places where the entries of a model may lie. */
export interface ModelPlaces {
  /** A part of the cache, with keys of its own. */
  part(name: string): DiskCache
  /** A database of its own. */
  own(name: string, limits: CacheOptions): DiskCache
}

/** @throws TypeError when it is no model */
export function modelCacheOf<Input, Output>(
  host: DiskCache,
  model: Model<Input, Output>,
  places: ModelPlaces,
): ModelCache<Input, Output> {
  const checked = resolvedModel(model)
  const known = made.get(host) ?? new WeakMap<object, object>()
  made.set(host, known)
  const found = known.get(model)
  if (found) return found as ModelCache<Input, Output>
  const { name, limits } = checked
  const cache = limits === undefined ? places.part(name) : places.own(name, limits)
  const access = accessOf(cache) as EngineAccess
  const models = new ModelCache<Input, Output>(checked, cache, access)
  registerModelCache(models, access)
  known.set(model, models)
  return models
}

/** The caches of models with limits of their own, by name. */
export class OwnCaches {
  readonly #caches = new Map<string, { readonly cache: CacheVerbs; readonly limits: string }>()

  /** @throws RangeError when the cache of this name has other limits, or the name cannot be a directory name */
  get(name: string, limits: CacheOptions, make: (directory: string) => CacheVerbs): CacheVerbs {
    const known = this.#caches.get(name)
    const text = JSON.stringify(limits)
    if (known?.limits === text) return known.cache
    if (known)
      throw new RangeError(`the model '${name}' is used on this cache already, with other limits: ${known.limits}`)
    const cache = make(directoryName(name))
    this.#caches.set(name, { cache, limits: text })
    return cache
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#caches.values(), ({ cache }) => cache.close()))
  }
}

/** Encodes a name into one that every file system accepts. */
function directoryName(name: string): string {
  const encoded = encodeURIComponent(name).replace(/[.*!'()~]/g, character => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  })
  if (encoded.length <= LONGEST_NAME) return encoded
  throw new RangeError(`the name of a model with limits of its own may take ${LONGEST_NAME} characters as a directory`)
}
