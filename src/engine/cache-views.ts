import { CacheVerbs } from './cache-verbs.js'
import { Namespace, type NamespaceParts } from './views/namespace.js'
import { type NamespaceOptions, resolveNamespace } from './views/namespace-options.js'

/** A cache with views of it: namespaces and models. */
export abstract class CacheViews extends CacheVerbs {
  /**
   * A part of this cache with keys of its own: a view with every verb. Namespaces of different names never touch each
   * other, nor do versions of one. A text key `k` of `cache.namespace('prod')` is the entry `prod:1:k` of this cache.
   *
   * @example
   * const prod = cache.namespace('prod', { version: 2, defaultTtl: '5m' })
   * await prod.set('greeting', 'hello')
   * await prod.clear()
   *
   * @throws TypeError for a name that is no well-formed text, and for unknown options; RangeError for an empty name and
   *   a version that is no whole number of 0 or more
   */
  namespace(name: string, options: NamespaceOptions = {}): Namespace {
    const parts: NamespaceParts = { host: this, outer: '', storing: given => given }
    return new Namespace(parts, resolveNamespace(name, options))
  }
}
