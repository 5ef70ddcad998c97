import { join } from 'node:path'
import { CacheHandle } from './cache-handle.js'
import { resolveOptions } from './cache-options.js'
import { CacheViews, type OpenModel } from './cache-views.js'
import type { Queueing, QueueTransaction } from './contract.js'
import { handleOf } from './handle-of.js'
import { modelOptions } from './inherited-options.js'
import { traced } from './observe/verbs.js'
import type { CacheOptions, Item, Key, Listing, Peeking, Pulling, Pushing, Transacting } from './options.js'
import { listSortedKeys } from './verbs/listing.js'
import { peekLast, peekValue, pullValue } from './verbs/queue.js'
import { CacheQueueTransaction } from './verbs/queue-transaction.js'
import { pushValue } from './verbs/storing.js'
import { transactOver } from './verbs/transacting.js'
import { CacheNamespace } from './views/cache-namespace.js'
import type { NamespaceParts } from './views/namespace.js'
import { type NamespaceOptions, resolveNamespace } from './views/namespace-options.js'

/**
 * A cache in one database. Every verb is atomic, and there are queues and a sorted order. Verbs wait for a lock up to
 * `timeout`, a minute by default, and then reject with `TimeoutError`.
 *
 * @example
 * await using cache = new Cache('/var/cache/app')
 * await cache.set('greeting', { text: 'hello' }, { ttl: '5m', tag: 'texts' })
 * await cache.get('greeting')
 */
export class Cache extends CacheViews implements Queueing {
  /**
   * @param directory is created when missing; without one the cache lives in a temporary directory until it is closed
   * @throws TypeError for unknown options and wrong types; RangeError for values out of range, and for options that
   *   differ from those of an open cache of this process on the same directory
   */
  constructor(directory?: string | URL, options?: CacheOptions) {
    super(new CacheHandle('Cache', directory, resolveOptions('Cache', options)), openModel)
  }

  override namespace(name: string, options: NamespaceOptions = {}): CacheNamespace {
    const parts: NamespaceParts = { host: this, outer: '', storing: given => given }
    return new CacheNamespace(parts, resolveNamespace(name, options))
  }

  push(value: unknown, options?: Pushing): Promise<Key> {
    return traced(handleOf(this), 'push', undefined, () => pushValue(handleOf(this), value, options))
  }

  pull<T = unknown>(options?: Pulling): Promise<Item<T> | undefined> {
    return this.#verb('pull', handle => pullValue<T>(handle, options))
  }

  peek<T = unknown>(options?: Pulling): Promise<Item<T> | undefined> {
    return this.#verb('peek', handle => peekValue<T>(handle, options))
  }

  peekItem<T = unknown>(options?: Peeking): Promise<Item<T> | undefined> {
    return this.#verb('peekItem', handle => peekLast<T>(handle, options))
  }

  sortedKeys(options?: Listing): AsyncIterable<Key> {
    return listSortedKeys(handleOf(this), options)
  }

  override transact<T>(body: (tx: QueueTransaction) => T, options?: Transacting): Promise<T> {
    return this.#verb('transact', handle =>
      transactOver<T, CacheQueueTransaction>(handle, body, options, scope => new CacheQueueTransaction(scope)),
    )
  }

  #verb<T>(verb: string, run: (handle: CacheHandle) => Promise<T>): Promise<T> {
    const handle = handleOf(this)
    return traced(handle, verb, undefined, () => handle.ready(() => run(handle)))
  }
}

const openModel: OpenModel = (host, name, limits) => {
  // Python's check() and ours skip paths that contain `cache.db`.
  const directory = join(host.directory, `cache.db-model-${name}`)
  const cache = new Cache(directory, modelOptions(host, limits))
  handleOf(cache).host = handleOf(host)
  return cache
}
