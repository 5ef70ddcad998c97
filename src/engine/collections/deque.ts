import type { Cache } from '../cache.js'
import type { CacheHandle } from '../cache-handle.js'
import { handleOf } from '../handle-of.js'
import type { Side } from '../operations/queue.js'
import { kindOf } from '../option-names.js'
import type { Waiting } from '../options.js'
import { transactOver } from '../verbs/transacting.js'
import { checkVerbOptions } from '../verbs/verb-options.js'
import { checkCache, collectionCache, patient, shardOf } from './collection-cache.js'
import { checkIndex, checkItems, checkMaxLength, checkReverse, checkSteps } from './collection-options.js'
import type { DequeOptions, DequeTransaction, TakenItem, Taking, Walking } from './contract.js'
import { countEqual, countItems, difference, peekItem, valueAt, walk } from './deque-reading.js'
import { OpenDeque } from './deque-transaction.js'
import * as writing from './deque-writing.js'
import { asStored, iteratorOf, orderOf } from './equality.js'
import { resolveTaking, takeNext } from './taken-item.js'

/**
 * A queue with two ends in a directory, shared by all processes that open it, Python's `Deque` among them. Items leave
 * it only when they are taken out: it neither evicts nor expires.
 *
 * A miss is `undefined`, which no item is. The writing verbs wait until the lock of the database is free, unless a
 * `timeout` was given, here or to the deque: then they reject with `TimeoutError`.
 *
 * @example
 * await using jobs = new Deque('/var/lib/app/jobs')
 * await jobs.append({ page: 1 })
 * await jobs.popLeft()
 */
export class Deque<T = unknown> implements AsyncIterable<T>, AsyncDisposable {
  /** The cache in which the items are. */
  readonly cache: Cache
  readonly directory: string
  readonly #own: boolean
  #maxLength: number

  /**
   * @param directory made when missing; without one the deque lives in a temporary directory until it is closed
   * @throws TypeError for unknown options and wrong types, RangeError for values out of range, and for options that
   *   differ from those of an open cache of this process on the same directory
   */
  constructor(directory?: string | URL, options: DequeOptions = {}) {
    const { cache, own } = collectionCache('Deque', directory, options, ['maxLength'])
    this.cache = cache
    this.directory = cache.directory
    this.#own = own
    const { maxLength = Number.POSITIVE_INFINITY } = options
    this.#maxLength = checkMaxLength(maxLength)
  }

  /**
   * The queue of integer keys of a cache as a deque. Other entries of the cache stay out of it. Closing the deque
   * leaves the cache open; if the cache evicts, it may evict items.
   */
  static from<T = unknown>(cache: Cache, options?: Pick<DequeOptions, 'maxLength'>): Deque<T> {
    return new Deque<T>(checkCache(cache, 'Deque.from') as never, options)
  }

  /** Items that this deque lets in at most. */
  get maxLength(): number {
    return this.#maxLength
  }

  /** Sets how many items this deque lets in at most, and removes from the left what is too much. */
  setMaxLength(maxLength: number, options?: Waiting): Promise<void> {
    return this.#call('setMaxLength', options, handle => {
      const most = checkMaxLength(maxLength)
      this.#maxLength = most
      return handle.ready(() => writing.trimItems(handle, most, options))
    })
  }

  /** Opens now instead of at the first verb, so that errors show here. */
  async open(): Promise<this> {
    await this.cache.open()
    return this
  }

  /** Puts a value at the right end. A Readable, web stream or Blob becomes a file, whose bytes are the item. */
  append(value: T, options?: Waiting): Promise<void> {
    return this.#put(value, 'back', 'append', options)
  }

  /** Puts a value at the left end. */
  appendLeft(value: T, options?: Waiting): Promise<void> {
    return this.#put(value, 'front', 'appendLeft', options)
  }

  /** Appends values one after the other, some hundreds in a commit. */
  extend(items: Iterable<T> | AsyncIterable<T>, options?: Waiting): Promise<void> {
    return this.#putAll(items, 'back', 'extend', options)
  }

  /** Puts values at the left end one after the other, so that the last of them becomes the first item. */
  extendLeft(items: Iterable<T> | AsyncIterable<T>, options?: Waiting): Promise<void> {
    return this.#putAll(items, 'front', 'extendLeft', options)
  }

  /** Takes the last item out: over all processes one caller gets it. */
  pop(options?: Waiting): Promise<T | undefined> {
    return this.#run('pop', options, handle => writing.popItem(handle, 'back', options) as Promise<T | undefined>)
  }

  /** Takes the first item out: over all processes one caller gets it. */
  popLeft(options?: Waiting): Promise<T | undefined> {
    return this.#run('popLeft', options, handle => writing.popItem(handle, 'front', options) as Promise<T | undefined>)
  }

  /** The last item, left where it is. */
  peek(options?: Waiting): Promise<T | undefined> {
    return this.#run('peek', options, handle => peekItem(handle, 'back', options) as Promise<T | undefined>)
  }

  /** The first item, left where it is. */
  peekLeft(options?: Waiting): Promise<T | undefined> {
    return this.#run('peekLeft', options, handle => peekItem(handle, 'front', options) as Promise<T | undefined>)
  }

  /**
   * Takes an item for the time of a lease, which a heartbeat extends while this process lives. The item is out of the
   * queue, and comes back to its front when the lease ends before `done()`: after a crash it is not lost. An item may
   * thus be worked on twice, when its holder was paused for longer than the lease.
   */
  take(options?: Taking): Promise<TakenItem<T> | undefined> {
    const handle = handleOf(this.cache)
    return handle.start(
      () => resolveTaking(options),
      taking => takeNext<T>(handle, taking, options),
    )
  }

  /** Items that are there, without those that are taken. */
  length(options?: Waiting): Promise<number> {
    return this.#run('length', options, handle => countItems(handle, options))
  }

  /** The item at an index, from the right end when it is negative; `undefined` out of range. */
  at(index: number, options?: Waiting): Promise<T | undefined> {
    return this.#run('at', options, async handle => {
      checkIndex(index, 'at')
      return valueAt(handle, index, options) as Promise<T | undefined>
    })
  }

  /** Replaces the item at an index. @throws RangeError (as rejection) out of range */
  setAt(index: number, value: T, options?: Waiting): Promise<void> {
    return this.#call('setAt', options, handle => {
      checkIndex(index, 'setAt')
      return writing.replaceItem(handle, index, value, options)
    })
  }

  /** Removes the item at an index. @throws RangeError (as rejection) out of range */
  deleteAt(index: number, options?: Waiting): Promise<void> {
    return this.#run('deleteAt', options, async handle => {
      checkIndex(index, 'deleteAt')
      return writing.removeAt(handle, index, options)
    })
  }

  /** Removes the first item that is equal to the value; false when there is none. */
  remove(value: T, options?: Waiting): Promise<boolean> {
    return this.#call('remove', options, handle => {
      const wanted = asStored(handle.options.codec, value)
      return handle.ready(() => writing.removeEqual(handle, wanted, options))
    })
  }

  /** How many items are equal to the value. */
  count(value: T): Promise<number> {
    return this.#call('count', undefined, handle => {
      const wanted = asStored(handle.options.codec, value)
      return handle.ready(() => countEqual(handle, wanted))
    })
  }

  /** Reverses the order of the items: at once up to 5,000 of them, else in pages between which others may write. */
  reverse(options?: Waiting): Promise<void> {
    return this.#run('reverse', options, handle => writing.reverseItems(handle, options))
  }

  /**
   * Moves the last item to the left end, `steps` times; negative steps go the other way. Steps beyond the length start
   * over. Up to 1,000 items are moved at once, more of them in pages between which others may write.
   */
  rotate(steps: number = 1, options?: Waiting): Promise<void> {
    return this.#run('rotate', options, async handle => {
      checkSteps(steps)
      return writing.rotateItems(handle, steps, options)
    })
  }

  /** Removes all items that there are when it is called, taken ones too. Answers how many. */
  clear(options?: Waiting): Promise<number> {
    return this.#run('clear', options, handle => writing.removeAll(handle, options))
  }

  /** The items. Those which are added at the end after the first step are not seen, removed ones are left out. */
  async *values(options?: Walking): AsyncGenerator<T, void, void> {
    checkVerbOptions(options, 'values', 'walking')
    const reverse = checkReverse(options, 'values')
    for await (const { value } of walk(handleOf(this.cache), reverse)) yield value as T
  }

  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return this.values()
  }

  /** Whether another deque, array or other iterable has equal items in the same order. */
  async equals(other: unknown): Promise<boolean> {
    if (Array.isArray(other) && other.length !== (await this.length())) return false
    if (other instanceof Deque && (await other.length()) !== (await this.length())) return false
    const items = iteratorOf(other)
    return items !== undefined && (await difference(handleOf(this.cache), items, () => 1)) === 0
  }

  /**
   * The order of this deque and another deque, array or other iterable: the first two items that differ decide, then
   * the length.
   *
   * @throws TypeError (as rejection) when those two have no order
   */
  async compare(other: Iterable<T> | AsyncIterable<T>): Promise<-1 | 0 | 1> {
    const items = iteratorOf(other)
    if (!items) throw new TypeError(`compare needs a Deque, an array or another iterable, got ${kindOf(other)}`)
    return difference(handleOf(this.cache), items, orderOf)
  }

  /** Runs `body` in a transaction: all of it takes effect, or nothing. `body` is synchronous and runs once. */
  transact<R>(body: (tx: DequeTransaction<T>) => R, options?: Waiting): Promise<R> {
    return this.#run('transact', options, handle =>
      transactOver<R, OpenDeque<T>>(
        handle,
        body,
        patient(handle, options),
        () => new OpenDeque<T>(shardOf(handle), this.#maxLength),
      ),
    )
  }

  /** Waits for the writes that are under way and closes. A later verb opens again. Taken items stay taken. */
  async close(): Promise<void> {
    if (this.#own) await this.cache.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  toString(): string {
    return `Deque('${this.directory}')`
  }

  #put(value: T, side: Side, verb: string, options: Waiting | undefined): Promise<void> {
    return this.#call(verb, options, handle => writing.putItem(handle, this.#end(side), value, options))
  }

  #putAll(
    items: Iterable<T> | AsyncIterable<T>,
    side: Side,
    verb: string,
    options: Waiting | undefined,
  ): Promise<void> {
    return this.#call(verb, options, handle => {
      if (typeof items === 'object' && items !== null && Symbol.asyncIterator in items) {
        return writing.putItemsOf(handle, this.#end(side), items, options)
      }
      checkItems(items, verb)
      return writing.putItems(handle, this.#end(side), items, options)
    })
  }

  #end(side: Side): writing.End {
    return { side, maxLength: this.#maxLength }
  }

  /** Begins a verb at once; what it throws becomes a rejection. */
  #call<R>(verb: string, options: Waiting | undefined, begin: (handle: CacheHandle) => Promise<R>): Promise<R> {
    try {
      checkVerbOptions(options, verb, 'waiting')
      return begin(handleOf(this.cache))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The same when the cache is open. */
  #run<R>(verb: string, options: Waiting | undefined, body: (handle: CacheHandle) => Promise<R>): Promise<R> {
    return this.#call(verb, options, handle => handle.ready(() => body(handle)))
  }
}
