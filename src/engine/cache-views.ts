import type { CacheHandle } from './cache-handle.js'
import { CacheVerbs } from './cache-verbs.js'
import type { CacheOptions } from './options.js'
import type { Model } from './views/model.js'
import type { ModelCache } from './views/model-cache.js'
import { modelCacheOf, OwnCaches } from './views/models.js'
import { Namespace, type NamespaceParts } from './views/namespace.js'
import { modelPart, type NamespaceOptions, resolveNamespace } from './views/namespace-options.js'

/** Opens the cache of a model with limits of its own, in a directory of this name below that of `host`. */
export type OpenModel = (host: CacheVerbs, name: string, limits: CacheOptions) => CacheVerbs

/** A cache with views of it: namespaces and models. */
export abstract class CacheViews extends CacheVerbs {
  readonly #own = new OwnCaches()
  readonly #openModel: OpenModel

  /** @param handle a CacheHandle and `openModel` an OpenModel, typed `object` to keep them out of the declarations */
  protected constructor(handle: object, openModel: object) {
    super(handle)
    ;(handle as CacheHandle).endWith(() => this.#own.close())
    this.#openModel = openModel as OpenModel
  }

  /**
   * Returns a view of this cache with its own keys and every verb. Namespaces of different names or versions never
   * share keys. The text key `k` of `cache.namespace('prod')` is the entry `prod:1:k` of this cache.
   *
   * @example
   * const prod = cache.namespace('prod', { version: 2, defaultTtl: '5m' })
   * await prod.set('greeting', 'hello')
   * await prod.clear()
   *
   * @throws TypeError for a name that is no well-formed string and for unknown options; RangeError for an empty name
   *   and for a version that is no whole number of 0 or more
   */
  namespace(name: string, options: NamespaceOptions = {}): Namespace {
    return new Namespace(this.#parts, resolveNamespace(name, options))
  }

  /**
   * Returns the cache of the values of one model, and the same object for the same model. The entries of a model
   * without limits are entries of this cache whose keys begin with `model=<name>:`. Those of a model with limits lie in
   * a separate `Cache` below the directory, which is closed with this one.
   *
   * @example
   * const User = defineModel({ name: 'User', version: 1, schema: z.object({ name: z.string() }) })
   * await cache.model(User).put(1, { name: 'Ann' })
   *
   * @throws TypeError when `model` is no model; RangeError when a model of the same name has other limits on this cache
   */
  model<Input, Output>(model: Model<Input, Output>): ModelCache<Input, Output> {
    return modelCacheOf(this, model, {
      part: name => new Namespace(this.#parts, modelPart(name)),
      own: (name, limits) => this.#own.get(name, limits, directory => this.#openModel(this, directory, limits)),
    })
  }

  get #parts(): NamespaceParts {
    return { host: this, outer: '', storing: given => given }
  }
}
