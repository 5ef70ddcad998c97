import type { Cache } from '../cache.js'
import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import { keyIdentity } from '../disk/keys.js'
import { handleOf } from '../handle-of.js'
import { traced } from '../observe/verbs.js'
import { takeRow } from '../operations/entries.js'
import { peekItem } from '../operations/queue.js'
import type { Item, Key, Peeking, Pulling, Waiting } from '../options.js'
import { checkLast } from '../verbs/queue.js'
import { encodeCall } from '../verbs/storing.js'
import { takeOut, toItem } from '../verbs/taking.js'
import { transactOver } from '../verbs/transacting.js'
import { checkIterable, checkVerbOptions } from '../verbs/verb-options.js'
import { checkCache, collectionCache, patient, shardOf, startVerb } from './collection-cache.js'
import { checkPair, checkReverse } from './collection-options.js'
import type { CollectionOptions, IndexTransaction, Walking } from './contract.js'
import { asStoredOrItself, isEqual, iteratorOf } from './equality.js'
import { OpenIndex } from './index-transaction.js'
import { storeDefault } from './set-default.js'

/** Entries never expire, whatever `defaultTtl` the cache has. */
const FOR_EVER = { ttl: null } as const

/**
 * A map in a directory, ordered by when its keys were first stored and shared by all processes that open it, including
 * Python's `Index`. It neither evicts nor expires entries.
 *
 * A miss is `undefined`, which no value is. Writing verbs wait until the lock of the database is free. When a `timeout`
 * was given, to the verb or to the index, they reject with `TimeoutError` after it.
 *
 * @example
 * await using pages = new Index('/var/lib/app/pages')
 * await pages.set('/about', { title: 'About' })
 * await pages.get('/about')
 */
export class Index<V = unknown> implements AsyncIterable<[Key, V]>, AsyncDisposable {
  /** The cache that holds the entries. */
  readonly cache: Cache
  /** The absolute path of the directory. */
  readonly directory: string
  readonly #own: boolean

  /**
   * @param directory is created when missing; without one the index lives in a temporary directory until it is closed
   * @throws TypeError for unknown options and wrong types; RangeError for values out of range, and for options that
   *   differ from those of an open cache of this process on the same directory
   */
  constructor(directory?: string | URL, options: CollectionOptions = {}) {
    const { cache, own } = collectionCache('Index', directory, options, [])
    this.cache = cache
    this.directory = cache.directory
    this.#own = own
  }

  /**
   * Uses all entries of a cache as an index. Closing the index leaves the cache open. If the cache evicts, entries go.
   */
  static from<V = unknown>(cache: Cache): Index<V> {
    return new Index<V>(checkCache(cache, 'Index.from') as never)
  }

  /** Opens the index now. Without it the first verb does, and shows the errors of opening. */
  async open(): Promise<this> {
    await this.cache.open()
    return this
  }

  /** Reads the value of a key. */
  get(key: Key, options?: Waiting): Promise<V | undefined> {
    return this.cache.get<V>(key, options)
  }

  /** Reads several values, in the order of the keys. */
  getMany(keys: Iterable<Key>, options?: Waiting): Promise<(V | undefined)[]> {
    return this.cache.getMany<V>(keys, options)
  }

  /** Tells whether the key has an entry. */
  has(key: Key): Promise<boolean> {
    return this.cache.has(key)
  }

  /** Stores a value. An existing key keeps its place in the order. */
  set(key: Key, value: V, options?: Waiting): Promise<boolean> {
    return this.#call('set', options, waiting => this.cache.set(key, value, { ...FOR_EVER, ...waiting }))
  }

  /** Stores several entries, a thousand in one commit. */
  setMany(entries: Iterable<readonly [key: Key, value: V]>, options?: Waiting): Promise<boolean[]> {
    return this.#call('setMany', options, waiting => {
      checkIterable(entries, 'setMany')
      const forEver = Array.from(entries, entry => [...checkPair(entry), FOR_EVER] as const)
      return this.cache.setMany(forEver, waiting)
    })
  }

  /**
   * Resolves to the value of a key; stores `value` when there is none. Of all callers in all processes one stores it.
   */
  setDefault(key: Key, value: V, options?: Waiting): Promise<V> {
    const handle = handleOf(this.cache)
    return traced(handle, 'setDefault', key, () =>
      this.#call('setDefault', options, waiting =>
        handle.start(
          () => encodeCall(handle, key, value),
          encoded => storeDefault<V>(handle, encoded, { ...FOR_EVER, ...waiting }),
        ),
      ),
    )
  }

  /** Removes an entry. Resolves to `false` when there was none. */
  delete(key: Key, options?: Waiting): Promise<boolean> {
    return this.#call('delete', options, waiting => this.cache.delete(key, waiting))
  }

  /** Removes an entry and resolves to its value. Of all callers in all processes one gets it. */
  pop(key: Key, options?: Waiting): Promise<V | undefined> {
    return this.#call('pop', options, waiting => this.cache.pop<V>(key, waiting))
  }

  /** Removes the last entry in stored order, or with `last: false` the first. Of all callers one gets it. */
  popItem(options?: Peeking): Promise<Item<V> | undefined> {
    const handle = handleOf(this.cache)
    const check = (): boolean => {
      checkVerbOptions(options, 'popItem', 'peeking')
      return checkLast(options, 'popItem')
    }
    return traced(handle, 'popItem', undefined, () => handle.start(check, last => popEnd<V>(handle, last, options)))
  }

  /** Reads the last entry in stored order, or with `last: false` the first. */
  peekItem(options?: Peeking): Promise<Item<V> | undefined> {
    return this.cache.peekItem<V>(patient(handleOf(this.cache), options))
  }

  /** Puts a value at the end of a queue in the key space and resolves to its key. */
  push(value: V, options?: Pulling): Promise<Key> {
    return this.#call('push', options, waiting => this.cache.push(value, { ...FOR_EVER, ...waiting }), 'pulling')
  }

  /** Removes the first value of a queue in the key space and resolves to it. Of all callers one gets it. */
  pull(options?: Pulling): Promise<Item<V> | undefined> {
    return this.#call('pull', options, waiting => this.cache.pull<V>(waiting), 'pulling')
  }

  /** Lists keys in the order in which they were first stored. Keys added after the first step are not seen. */
  async *keys(options?: Walking): AsyncGenerator<Key, void, void> {
    checkVerbOptions(options, 'keys', 'walking')
    yield* this.cache.keys({ reverse: checkReverse(options, 'keys') })
  }

  /** Lists values in the order of their keys. */
  async *values(options?: Walking): AsyncGenerator<V, void, void> {
    checkVerbOptions(options, 'values', 'walking')
    for await (const [, value] of this.entries(options)) yield value
  }

  /** Lists keys with their values. */
  async *entries(options?: Walking): AsyncGenerator<[Key, V], void, void> {
    checkVerbOptions(options, 'entries', 'walking')
    yield* this.cache.entries<V>({ reverse: checkReverse(options, 'entries') })
  }

  /** Lists keys with their values, for `for await`. */
  [Symbol.asyncIterator](): AsyncGenerator<[Key, V], void, void> {
    return this.entries()
  }

  /** Counts the entries. */
  size(): Promise<number> {
    return this.cache.count()
  }

  /** Removes all entries that exist at the time of the call. Resolves to how many. */
  clear(options?: Waiting): Promise<number> {
    return this.#call('clear', options, waiting => this.cache.clear(waiting))
  }

  /**
   * Tells whether another map has equal entries. The order counts against an Index, a Map or another iterable of
   * entries; it does not count against a plain object.
   */
  equals(other: unknown): Promise<boolean> {
    return traced(handleOf(this.cache), 'equals', undefined, async () => {
      const size = other instanceof Index ? await other.size() : other instanceof Map ? other.size : undefined
      if (size !== undefined && size !== (await this.size())) return false
      const others = iteratorOf(other)
      if (others) return this.#equalsInOrder(others)
      return typeof other === 'object' && other !== null && this.#equalsObject(other)
    })
  }

  /** Runs `body` in a transaction: all of its writes take effect, or none. `body` is synchronous and runs once. */
  transact<R>(body: (tx: IndexTransaction<V>) => R, options?: Waiting): Promise<R> {
    const handle = handleOf(this.cache)
    return startVerb(handle, 'transact', options, () =>
      handle.ready(() =>
        transactOver<R, OpenIndex<V>>(handle, body, patient(handle, options), scope => new OpenIndex<V>(scope)),
      ),
    )
  }

  /** Waits for the writes under way, then closes. A later verb opens the index again. */
  async close(): Promise<void> {
    if (this.#own) await this.cache.close()
  }

  /** Does what `close` does, at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  toString(): string {
    return `Index('${this.directory}')`
  }

  async #equalsInOrder(others: Iterator<unknown> | AsyncIterator<unknown>): Promise<boolean> {
    let ended = false
    try {
      for await (const [key, value] of this.entries()) {
        const next = await others.next()
        ended = next.done === true
        if (ended || !this.#isEntry(next.value, key, value)) return false
      }
      ended = (await others.next()).done === true
      return ended
    } finally {
      if (!ended) await others.return?.()
    }
  }

  #isEntry(other: unknown, key: Key, value: V): boolean {
    if (!Array.isArray(other) || other.length !== 2) return false
    const { codec } = handleOf(this.cache).options
    try {
      if (keyIdentity(codec.encodeKey(other[0])) !== keyIdentity(codec.encodeKey(key))) return false
    } catch (error) {
      if (error instanceof TypeError) return false
      throw error
    }
    return isEqual(value, asStoredOrItself(codec, other[1]))
  }

  async #equalsObject(other: object): Promise<boolean> {
    const entries = Object.entries(other)
    if (entries.length !== (await this.size())) return false
    for (const [key, value] of entries) {
      const own = await this.get(key)
      if (own === undefined || !isEqual(own, asStoredOrItself(handleOf(this.cache).options.codec, value))) return false
    }
    return true
  }

  /** Starts a verb at once, with the waiting of collections. Errors that it throws become rejections. */
  #call<R, Options extends Waiting>(
    verb: string,
    options: Options | undefined,
    begin: (waiting: Waiting & Partial<Options>) => Promise<R>,
    kind: 'waiting' | 'pulling' = 'waiting',
  ): Promise<R> {
    try {
      checkVerbOptions(options, verb, kind)
      return begin(patient(handleOf(this.cache), options))
    } catch (error) {
      return Promise.reject(error)
    }
  }
}

/** Removes the entry at one end and returns it. Entries whose value file is missing are removed and skipped. */
async function popEnd<V>(
  handle: CacheHandle,
  last: boolean,
  options: Waiting | undefined,
): Promise<Item<V> | undefined> {
  const shard = shardOf(handle)
  for (;;) {
    const run = (session: Session): ReturnType<typeof takeOut> => {
      const row = peekItem(session, last, shard.disk.now())
      return row && takeOut(shard, session, takeRow(session, row))
    }
    const call = { options: patient(handle, options), refused: undefined }
    const taken = await handle.write(shard, { run, barrier: true }, call)
    const item = await toItem<V>(taken)
    if (item || !taken) return item
  }
}
