import type { CacheVerbs } from '../cache-verbs.js'
import type { DiskCache } from '../contract.js'
import { accessOf, type EngineAccess } from '../handle-of.js'
import type { CacheOptions } from '../options.js'
import { type Model, resolvedModel } from './model.js'
import { ModelCache } from './model-cache.js'

const LONGEST_NAME = 200

/** The caches of models that were made on a cache or namespace: one for each model, so that its figures are all in one. */
const made = new WeakMap<DiskCache, WeakMap<object, object>>()

/** Where the entries of a model may lie. */
export interface ModelPlaces {
  /** Among the entries of the cache, with keys of their own. */
  part(name: string): DiskCache
  /** In a database of their own. */
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
  const models = new ModelCache<Input, Output>(checked, cache, accessOf(cache) as EngineAccess)
  known.set(model, models)
  return models
}

/** The caches of models with limits of their own, by name. */
export class OwnCaches {
  readonly #caches = new Map<string, { readonly cache: CacheVerbs; readonly limits: string }>()

  /** @throws RangeError when the name has a cache already that has other limits, or makes no name of a directory */
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

/** A name that every file system takes for a plain one. */
function directoryName(name: string): string {
  const encoded = encodeURIComponent(name).replace(/[.*!'()~]/g, character => {
    return `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  })
  if (encoded.length <= LONGEST_NAME) return encoded
  throw new RangeError(`the name of a model with limits of its own may take ${LONGEST_NAME} characters as a directory`)
}
