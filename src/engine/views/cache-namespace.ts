import type { Cache } from '../cache.js'
import type { Queueing, QueueTransaction, Transaction } from '../contract.js'
import { accessOf, type EngineAccess } from '../handle-of.js'
import { traced } from '../observe/verbs.js'
import type { Item, Key, Listing, Peeking, Pulling, Pushing, Transacting } from '../options.js'
import { listEncodedKeys } from '../verbs/listing.js'
import { peekItem } from '../verbs/peeking.js'
import { checkPeekItem, peekValue, pullValue } from '../verbs/queue.js'
import type { CacheQueueTransaction } from '../verbs/queue-transaction.js'
import { type HeadOf, pushValue } from '../verbs/storing.js'
import { CacheNamespaceTransaction } from './cache-namespace-transaction.js'
import { Namespace, type NamespaceParts, type ViewOf } from './namespace.js'
import { NamespaceKeys } from './namespace-keys.js'
import { type NamespaceOptions, resolveNamespace } from './namespace-options.js'
import { renamed } from './namespace-transaction.js'
import { inStoredOrder } from './sorted-keys.js'

const queueView: ViewOf = (tx, keys, storing) =>
  new CacheNamespaceTransaction(tx as CacheQueueTransaction, keys, storing)

/**
 * A namespace of a `Cache`, with queues of its own and a sorted order. A value that is pushed without a `prefix` gets a
 * number as key, as in a `Cache`.
 */
export class CacheNamespace extends Namespace implements Queueing {
  readonly #host: Cache
  readonly #access: EngineAccess
  readonly #keys: NamespaceKeys
  readonly #headOf: HeadOf

  /** Use `cache.namespace(name, options)` instead. */
  constructor(parts: object, own: object) {
    super({ ...parts, viewOf: queueView }, own)
    this.#host = (parts as NamespaceParts).host as Cache
    this.#access = accessOf(this) as EngineAccess
    const keys = new NamespaceKeys(this.#access.hostKey('') as string)
    this.#keys = keys
    this.#headOf = prefix => keys.queueHead(prefix)
  }

  override namespace(name: string, options: NamespaceOptions = {}): CacheNamespace {
    const parts: NamespaceParts = { host: this.#host, outer: this.#keys.prefix, storing: this.#access.storing }
    return new CacheNamespace(parts, resolveNamespace(name, options))
  }

  async push(value: unknown, options?: Pushing): Promise<Key> {
    const { handle, storing } = this.#access
    const push = (): Promise<Key> => pushValue(handle, value, storing(options), this.#headOf)
    const key = await traced(handle, 'push', undefined, push)
    return key === null ? key : this.#keys.decode(key)
  }

  async pull<T = unknown>(options?: Pulling): Promise<Item<T> | undefined> {
    const { handle } = this.#access
    const pull = (): Promise<Item<T> | undefined> => pullValue<T>(handle, options, this.#headOf)
    return renamed(this.#keys, await traced(handle, 'pull', undefined, () => handle.ready(pull)))
  }

  async peek<T = unknown>(options?: Pulling): Promise<Item<T> | undefined> {
    const { handle } = this.#access
    const peek = (): Promise<Item<T> | undefined> => peekValue<T>(handle, options, this.#headOf)
    return renamed(this.#keys, await traced(handle, 'peek', undefined, () => handle.ready(peek)))
  }

  /** Reads the last entry in stored order, or with `last: false` the first. Scans the keys of the namespace. */
  peekItem<T = unknown>(options?: Peeking): Promise<Item<T> | undefined> {
    return traced(this.#access.handle, 'peekItem', undefined, () => this.#peekItem<T>(options))
  }

  async #peekItem<T>(options: Peeking | undefined): Promise<Item<T> | undefined> {
    const reverse = checkPeekItem(options)
    const { last: _last, ...waiting } = options ?? {}
    const { handle } = this.#access
    for await (const { key, encoded } of listEncodedKeys(handle, { prefix: this.#keys.prefix, reverse }, 'peekItem')) {
      const item = await peekItem(handle, encoded, waiting, key)
      if (item) return renamed(this.#keys, item) as Item<T>
    }
    return undefined
  }

  /** Lists keys in SQLite's order: numbers, strings, bytes. Collects all keys first. */
  async *sortedKeys(options?: Listing): AsyncGenerator<Key> {
    const keys: Key[] = []
    for await (const key of this.keys(options)) keys.push(key)
    const sorted = inStoredOrder(keys)
    yield* options?.reverse ? sorted.reverse() : sorted
  }

  override transact<T>(body: (tx: QueueTransaction) => T, options?: Transacting): Promise<T> {
    return super.transact(body as (tx: Transaction) => T, options)
  }
}
