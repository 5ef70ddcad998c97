import type { QueueTransaction, Transaction } from '../contract.js'
import type { Item, Key, Peeking, Pulling, Pushing } from '../options.js'
import type { CacheQueueTransaction } from '../verbs/queue-transaction.js'
import type { HeadOf } from '../verbs/storing.js'
import type { NamespaceKeys } from './namespace-keys.js'
import { NamespaceTransaction, renamed, type WithDefaults } from './namespace-transaction.js'

/** A transaction of a `Cache`, restricted to the keys and queues of a namespace. */
export class CacheNamespaceTransaction extends NamespaceTransaction implements QueueTransaction {
  readonly #tx: CacheQueueTransaction
  readonly #keys: NamespaceKeys
  readonly #storing: WithDefaults
  readonly #headOf: HeadOf

  constructor(tx: CacheQueueTransaction, keys: NamespaceKeys, storing: WithDefaults) {
    super(tx, keys, storing)
    this.#tx = tx
    this.#keys = keys
    this.#storing = storing
    this.#headOf = prefix => keys.queueHead(prefix)
  }

  push(value: unknown, options?: Pushing): Key {
    return this.#keys.decode(this.#tx.push(value, this.#storing(options), this.#headOf))
  }

  pull<T = unknown>(options?: Pulling): Item<T> | undefined {
    return renamed(this.#keys, this.#tx.pull<T>(options, this.#headOf))
  }

  peek<T = unknown>(options?: Pulling): Item<T> | undefined {
    return renamed(this.#keys, this.#tx.peek<T>(options, this.#headOf))
  }

  peekItem<T = unknown>(options?: Pick<Peeking, 'last'>): Item<T> | undefined {
    return renamed(this.#keys, this.#tx.peekItem<T>(options, this.#keys.prefix))
  }

  protected override viewOf(tx: Transaction): QueueTransaction {
    return new CacheNamespaceTransaction(tx as CacheQueueTransaction, this.#keys, this.#storing)
  }
}
