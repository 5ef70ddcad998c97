import { takeRow } from '../operations/entries.js'
import { peekItem } from '../operations/queue.js'
import type { Item, Key, Peeking, Pulling } from '../options.js'
import type { TransactionScope } from '../verbs/cache-transaction.js'
import { checkLast } from '../verbs/queue.js'
import { CacheQueueTransaction } from '../verbs/queue-transaction.js'
import { checkIterable, checkVerbOptions } from '../verbs/verb-options.js'
import { checkPair, checkReverse } from './collection-options.js'
import type { IndexTransaction, Walking } from './contract.js'

/** Entries never expire, whatever the settings of the cache are. */
const FOR_EVER = { ttl: null } as const

type Ends = Pick<Pulling, 'prefix' | 'side'>

/** The verbs inside an index's `transact`, built on the transaction of its cache. */
export class OpenIndex<V> implements IndexTransaction<V> {
  readonly #tx: EndTransaction

  constructor(scope: TransactionScope) {
    this.#tx = new EndTransaction(scope)
  }

  /** Called when the body has returned: from now on every verb throws. */
  end(): void {
    this.#tx.end()
  }

  get(key: Key): V | undefined {
    return this.#tx.get<V>(key)
  }

  getMany(keys: Iterable<Key>): (V | undefined)[] {
    checkIterable(keys, 'getMany')
    return this.#tx.getMany<V>(keys)
  }

  has(key: Key): boolean {
    return this.#tx.has(key)
  }

  set(key: Key, value: V): boolean {
    return this.#tx.set(key, value, FOR_EVER)
  }

  setMany(entries: Iterable<readonly [key: Key, value: V]>): boolean[] {
    checkIterable(entries, 'setMany')
    return this.#tx.setMany(Array.from(entries, entry => [...checkPair(entry), FOR_EVER] as const))
  }

  setDefault(key: Key, value: V): V {
    this.#tx.add(key, value, FOR_EVER)
    const known = this.#tx.getItem<V>(key)
    if (known) return known.value
    // An entry whose file is missing does not count.
    this.#tx.set(key, value, FOR_EVER)
    return this.#tx.get<V>(key) as V
  }

  delete(key: Key): boolean {
    return this.#tx.delete(key)
  }

  pop(key: Key): V | undefined {
    return this.#tx.pop<V>(key)
  }

  popItem(options?: Pick<Peeking, 'last'>): Item<V> | undefined {
    checkVerbOptions(options, 'popItem', 'peeking')
    return this.#tx.takeEnd<V>(checkLast(options, 'popItem'))
  }

  peekItem(options?: Pick<Peeking, 'last'>): Item<V> | undefined {
    return this.#tx.peekItem<V>({ last: checkLast(options, 'peekItem') })
  }

  push(value: V, options?: Ends): Key {
    checkVerbOptions(options, 'push', 'pulling')
    return this.#tx.push(value, { ...options, ...FOR_EVER })
  }

  pull(options?: Ends): Item<V> | undefined {
    return this.#tx.pull<V>(options)
  }

  *keys(options?: Walking): Generator<Key> {
    checkVerbOptions(options, 'keys', 'walking')
    yield* this.#tx.keys({ reverse: checkReverse(options, 'keys') })
  }

  *values(options?: Walking): Generator<V> {
    for (const [, value] of this.entries(options)) yield value
  }

  *entries(options?: Walking): Generator<[Key, V]> {
    checkVerbOptions(options, 'entries', 'walking')
    yield* this.#tx.entries<V>({ reverse: checkReverse(options, 'entries') })
  }

  size(): number {
    return this.#tx.count()
  }

  clear(): number {
    return this.#tx.clear()
  }

  transact<R>(body: (tx: IndexTransaction<V>) => R): R {
    return this.#tx.transact(() => body(this))
  }
}

class EndTransaction extends CacheQueueTransaction {
  /** Removes and returns the entry that was stored last, or first. */
  takeEnd<T>(last: boolean): Item<T> | undefined {
    const [session] = this.sessions()
    if (!session) return undefined
    return this.savepoint(session, () => {
      for (;;) {
        const row = peekItem(session, last, session.disk.now())
        if (!row) return undefined
        const item = this.taken<T>(session, takeRow(session, row))
        if (item) return item
      }
    })
  }
}
