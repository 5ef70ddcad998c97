import type { Cache } from '../cache.js'
import type { CacheHandle } from '../cache-handle.js'
import { asStored } from '../disk/as-stored.js'
import { handleOf } from '../handle-of.js'
import { traced } from '../observe/verbs.js'
import type { Side } from '../operations/queue.js'
import { kindOf } from '../option-names.js'
import type { Waiting } from '../options.js'
import { transactOver } from '../verbs/transacting.js'
import { checkVerbOptions } from '../verbs/verb-options.js'
import { checkCache, collectionCache, patient, shardOf, startVerb } from './collection-cache.js'
import { checkIndex, checkItems, checkMaxLength, checkReverse, checkSteps } from './collection-options.js'
import type { DequeOptions, DequeTransaction, TakenItem, Taking, Walking } from './contract.js'
import { countEqual, countItems, difference, peekItem, valueAt, walk } from './deque-reading.js'
import { OpenDeque } from './deque-transaction.js'
import * as writing from './deque-writing.js'
import { iteratorOf, orderOf } from './equality.js'
import { resolveTaking, takeNext } from './taken-item.js'

/**
 * A double-ended queue in a directory, shared by all processes that open it, including Python's `Deque`. It neither
 * evicts nor expires items.
 *
 * A miss is `undefined`, which no item is. Writing verbs wait until the lock of the database is free. When a `timeout`
 * was given, to the verb or to the deque, they reject with `TimeoutError` after it.
 *
 * @example
 * await using jobs = new Deque('/var/lib/app/jobs')
 * await jobs.append({ page: 1 })
 * await jobs.popLeft()
 */
export class Deque<T = unknown> implements AsyncIterable<T>, AsyncDisposable {
  /** The cache that holds the items. */
  readonly cache: Cache
  /** The absolute path of the directory. */
  readonly directory: string
  readonly #own: boolean
  #maxLength: number

  /**
   * @param directory is created when missing; without one the deque lives in a temporary directory until it is closed
   * @throws TypeError for unknown options and wrong types; RangeError for values out of range, and for options that
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
   * Uses the queue of integer keys of a cache as a deque. Other entries of the cache are not part of it. Closing the
   * deque leaves the cache open. If the cache evicts, it may evict items.
   */
  static from<T = unknown>(cache: Cache, options?: Pick<DequeOptions, 'maxLength'>): Deque<T> {
    return new Deque<T>(checkCache(cache, 'Deque.from') as never, options)
  }

  /** Limit of items. */
  get maxLength(): number {
    return this.#maxLength
  }

  /** Changes the limit of items and removes the items beyond it from the left end. @throws RangeError below 0 */
  setMaxLength(maxLength: number, options?: Waiting): Promise<void> {
    return this.#call('setMaxLength', options, handle => {
      const most = checkMaxLength(maxLength)
      this.#maxLength = most
      return handle.ready(() => writing.trimItems(handle, most, options))
    })
  }

  /** Opens the deque now. Without it the first verb does, and shows the errors of opening. */
  async open(): Promise<this> {
    await this.cache.open()
    return this
  }

  /** Adds a value at the right end. A Readable, a web stream or a Blob becomes a file whose bytes are the item. */
  append(value: T, options?: Waiting): Promise<void> {
    return this.#put(value, 'back', 'append', options)
  }

  /** Adds a value at the left end. */
  appendLeft(value: T, options?: Waiting): Promise<void> {
    return this.#put(value, 'front', 'appendLeft', options)
  }

  /** Adds values at the right end in their order, some hundreds in one commit. */
  extend(items: Iterable<T> | AsyncIterable<T>, options?: Waiting): Promise<void> {
    return this.#putAll(items, 'back', 'extend', options)
  }

  /** Adds values at the left end one after the other, so that the last of them becomes the first item. */
  extendLeft(items: Iterable<T> | AsyncIterable<T>, options?: Waiting): Promise<void> {
    return this.#putAll(items, 'front', 'extendLeft', options)
  }

  /** Removes the last item and resolves to it. Of all callers in all processes one gets it. */
  pop(options?: Waiting): Promise<T | undefined> {
    return this.#run('pop', options, handle => writing.popItem(handle, 'back', options) as Promise<T | undefined>)
  }

  /** Removes the first item and resolves to it. Of all callers in all processes one gets it. */
  popLeft(options?: Waiting): Promise<T | undefined> {
    return this.#run('popLeft', options, handle => writing.popItem(handle, 'front', options) as Promise<T | undefined>)
  }

  /** Reads the last item. */
  peek(options?: Waiting): Promise<T | undefined> {
    return this.#run('peek', options, handle => peekItem(handle, 'back', options) as Promise<T | undefined>)
  }

  /** Reads the first item. */
  peekLeft(options?: Waiting): Promise<T | undefined> {
    return this.#run('peekLeft', options, handle => peekItem(handle, 'front', options) as Promise<T | undefined>)
  }

  /**
   * Takes an item for the duration of a lease, which a heartbeat extends while this process lives. When the lease ends
   * before `done()`, as after a crash, the item returns to the front. An item may thus be worked on twice when its
   * holder was paused for longer than the lease. @throws RangeError for a lease that is 0 or infinite
   */
  take(options?: Taking): Promise<TakenItem<T> | undefined> {
    const handle = handleOf(this.cache)
    return traced(handle, 'take', undefined, () =>
      handle.start(
        () => resolveTaking(options),
        taking => takeNext<T>(handle, taking, options),
      ),
    )
  }

  /** Counts the items, without those that are taken. */
  length(options?: Waiting): Promise<number> {
    return this.#run('length', options, handle => countItems(handle, options))
  }

  /** Reads the item at an index. Negative indexes count from the right end. Out of range: `undefined`. */
  at(index: number, options?: Waiting): Promise<T | undefined> {
    return this.#run('at', options, async handle => {
      checkIndex(index, 'at')
      return valueAt(handle, index, options) as Promise<T | undefined>
    })
  }

  /** Replaces the item at an index. @throws RangeError when there is none */
  setAt(index: number, value: T, options?: Waiting): Promise<void> {
    return this.#call('setAt', options, handle => {
      checkIndex(index, 'setAt')
      return writing.replaceItem(handle, index, value, options)
    })
  }

  /** Removes the item at an index. @throws RangeError when there is none */
  deleteAt(index: number, options?: Waiting): Promise<void> {
    return this.#run('deleteAt', options, async handle => {
      checkIndex(index, 'deleteAt')
      return writing.removeAt(handle, index, options)
    })
  }

  /** Removes the first item that equals the value. Resolves to `false` when there is none. */
  remove(value: T, options?: Waiting): Promise<boolean> {
    return this.#call('remove', options, handle => {
      const wanted = asStored(handle.options.codec, value)
      return handle.ready(() => writing.removeEqual(handle, wanted, options))
    })
  }

  /** Counts the items that equal the value. */
  count(value: T): Promise<number> {
    return this.#call('count', undefined, handle => {
      const wanted = asStored(handle.options.codec, value)
      return handle.ready(() => countEqual(handle, wanted))
    })
  }

  /** Reverses the order of the items: up to 5,000 at once, more of them in pages between which others may write. */
  reverse(options?: Waiting): Promise<void> {
    return this.#run('reverse', options, handle => writing.reverseItems(handle, options))
  }

  /**
   * Moves the last item to the left end, `steps` times. Negative steps go the other way; steps beyond the length wrap
   * around. Up to 1,000 items are moved at once, more of them in pages between which others may write.
   */
  rotate(steps: number = 1, options?: Waiting): Promise<void> {
    return this.#run('rotate', options, async handle => {
      checkSteps(steps)
      return writing.rotateItems(handle, steps, options)
    })
  }

  /** Removes all items that exist at the time of the call, including taken ones. Resolves to how many. */
  clear(options?: Waiting): Promise<number> {
    return this.#run('clear', options, handle => writing.removeAll(handle, options))
  }

  /**
   * Lists the items. Items added at the end after the first step are not seen; items removed meanwhile are left out.
   */
  async *values(options?: Walking): AsyncGenerator<T, void, void> {
    checkVerbOptions(options, 'values', 'walking')
    const reverse = checkReverse(options, 'values')
    for await (const { value } of walk(handleOf(this.cache), reverse ? 'back' : 'front')) yield value as T
  }

  /** Lists the items, for `for await`. */
  [Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    return this.values()
  }

  /** Tells whether another deque, array or iterable has equal items in the same order. */
  equals(other: unknown): Promise<boolean> {
    return this.#call('equals', undefined, async handle => {
      if (Array.isArray(other) && other.length !== (await this.length())) return false
      if (other instanceof Deque && (await other.length()) !== (await this.length())) return false
      const items = iteratorOf(other)
      return items !== undefined && (await difference(handle, items, () => 1)) === 0
    })
  }

  /**
   * Compares this deque with another deque, array or iterable: the first pair of items that differ decides, then the
   * length. Resolves to -1, 0 or 1.
   *
   * @throws TypeError when the two items that differ have no order
   */
  compare(other: Iterable<T> | AsyncIterable<T>): Promise<-1 | 0 | 1> {
    return this.#call('compare', undefined, async handle => {
      const items = iteratorOf(other)
      if (!items) throw new TypeError(`compare needs a Deque, an array or another iterable, got ${kindOf(other)}`)
      return difference(handle, items, orderOf)
    })
  }

  /** Runs `body` in a transaction: all of its writes take effect, or none. `body` is synchronous and runs once. */
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

  /** Waits for the writes under way, then closes. A later verb opens the deque again. Taken items stay taken. */
  async close(): Promise<void> {
    if (this.#own) await this.cache.close()
  }

  /** Does what `close` does, at the end of an `await using` block. */
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

  /** Starts a verb at once. */
  #call<R>(verb: string, options: Waiting | undefined, begin: (handle: CacheHandle) => Promise<R>): Promise<R> {
    return startVerb(handleOf(this.cache), verb, options, begin)
  }

  /** Starts a verb when the cache is open. */
  #run<R>(verb: string, options: Waiting | undefined, body: (handle: CacheHandle) => Promise<R>): Promise<R> {
    return this.#call(verb, options, handle => handle.ready(() => body(handle)))
  }
}
