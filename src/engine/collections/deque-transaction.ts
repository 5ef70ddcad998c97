import type { Session } from '../database/session.js'
import { asStored } from '../disk/as-stored.js'
import { isThenable } from '../disk/describe.js'
import {
  AFTER_BACK,
  BEFORE_FRONT,
  deleteAt,
  endRow,
  keyAt,
  lengthOf,
  type NewItem,
  pushAll,
  removeSame,
  setAt,
  trim,
} from '../operations/deque.js'
import { type Reversal, reverse, rotate } from '../operations/deque-order.js'
import { deleteRow } from '../operations/entries.js'
import type { Side } from '../operations/queue.js'
import { type ClearCursor, clearItems, returnDue } from '../operations/taken.js'
import type { Shard } from '../shards/shard.js'
import { inSavepoint, openSession, promiseError, storedValue } from '../verbs/open-transaction.js'
import { isStream, takeValueNow } from '../verbs/value-source.js'
import { checkVerbOptions, resolveStoring } from '../verbs/verb-options.js'
import { checkIndex, checkItems, checkReverse, checkSteps } from './collection-options.js'
import type { DequeTransaction, Walking } from './contract.js'
import { rowsOf } from './deque-reading.js'
import { isEqual } from './equality.js'

/** The verbs inside a deque's `transact`. Each runs its operation at once, in its own savepoint. */
export class OpenDeque<T> implements DequeTransaction<T> {
  readonly #shard: Shard
  readonly #maxLength: number
  #open = true

  constructor(shard: Shard, maxLength: number) {
    this.#shard = shard
    this.#maxLength = maxLength
  }

  /** Called when the body has returned: from now on every verb throws. */
  end(): void {
    this.#open = false
  }

  append(value: T): void {
    this.#put([value], 'back')
  }

  appendLeft(value: T): void {
    this.#put([value], 'front')
  }

  extend(items: Iterable<T>): void {
    checkItems(items, 'extend')
    this.#put(items, 'back')
  }

  extendLeft(items: Iterable<T>): void {
    checkItems(items, 'extendLeft')
    this.#put(items, 'front')
  }

  pop(): T | undefined {
    return this.#pop('back')
  }

  popLeft(): T | undefined {
    return this.#pop('front')
  }

  peek(): T | undefined {
    return this.#peek('back')
  }

  peekLeft(): T | undefined {
    return this.#peek('front')
  }

  length(): number {
    return lengthOf(this.#session())
  }

  at(index: number): T | undefined {
    checkIndex(index, 'at')
    const session = this.#session()
    const key = keyAt(session, index)
    if (key === undefined) return undefined
    const from = index < 0 ? key + 1 : key - 1
    for (const { value } of rowsOf(session, from, index < 0 ? 'back' : 'front')) return value as T
    return undefined
  }

  setAt(index: number, value: T): void {
    checkIndex(index, 'setAt')
    this.#savepoint(session => setAt(session, index, this.#newItem(session, value)))
  }

  deleteAt(index: number): void {
    checkIndex(index, 'deleteAt')
    this.#savepoint(session => deleteAt(session, index))
  }

  remove(value: T): boolean {
    const wanted = asStored(this.#shard.options.codec, value)
    return this.#savepoint(session => {
      for (const { row, value: other } of rowsOf(session, BEFORE_FRONT, 'front')) {
        if (isEqual(other, wanted)) return removeSame(session, row[0], row[3])
      }
      return false
    })
  }

  count(value: T): number {
    const wanted = asStored(this.#shard.options.codec, value)
    let count = 0
    for (const { value: other } of rowsOf(this.#session(), BEFORE_FRONT, 'front')) if (isEqual(other, wanted)) count++
    return count
  }

  reverse(): void {
    this.#savepoint(session => {
      let cursor: Reversal | undefined
      do cursor = reverse(session, cursor)
      while (cursor)
    })
  }

  rotate(steps: number = 1): void {
    checkSteps(steps)
    this.#savepoint(session => {
      for (let left = steps; left !== 0; ) left = rotate(session, left)
    })
  }

  clear(): number {
    return this.#savepoint(session => {
      let removed = 0
      let cursor: ClearCursor | undefined
      do {
        const page = clearItems(session, cursor)
        removed += page.removed
        cursor = page.next
      } while (cursor)
      return removed
    })
  }

  *values(options?: Walking): Generator<T> {
    checkVerbOptions(options, 'values', 'walking')
    const back = checkReverse(options, 'values')
    const session = this.#session()
    for (const { value } of rowsOf(session, back ? AFTER_BACK : BEFORE_FRONT, back ? 'back' : 'front')) {
      yield value as T
      // Fails when the body has returned meanwhile.
      this.#session()
    }
  }

  transact<R>(body: (tx: DequeTransaction<T>) => R): R {
    return this.#savepoint(() => {
      const result = body(this)
      if (isThenable(result)) throw promiseError(result)
      return result
    })
  }

  #put(values: Iterable<T>, side: Side): void {
    this.#savepoint(session => {
      const items = Array.from(values, value => this.#newItem(session, value))
      pushAll(session, items, side)
      while (trim(session, this.#maxLength, side === 'back' ? 'front' : 'back'));
    })
  }

  #pop(side: Side): T | undefined {
    return this.#savepoint(session => {
      returnDue(session)
      for (;;) {
        const row = endRow(session, side)
        if (!row) return undefined
        const found = storedValue(session, row)
        deleteRow(session, row[0], row[10], row[8])
        if (found) return found.value as T
      }
    })
  }

  #peek(side: Side): T | undefined {
    return this.#savepoint(session => {
      returnDue(session)
      for (;;) {
        const row = endRow(session, side)
        const found = row && storedValue(session, row)
        if (!row || found) return found?.value as T | undefined
        // An item whose file is missing does not count.
        deleteRow(session, row[0], row[10], row[8])
      }
    })
  }

  #newItem(session: Session, value: T): NewItem {
    if (isStream(value)) throw new TypeError('a stream cannot be stored inside transact, which is synchronous')
    const now = session.disk.now()
    const { prepared, discard } = takeValueNow(this.#shard, value, resolveStoring({ ttl: null }, now, undefined))
    if (discard) session.afterRollback(discard)
    return { value: prepared, now, expireTime: null, tag: null, tags: [] }
  }

  #session(): Session {
    if (this.#open) return openSession(this.#shard)
    throw new TypeError('this transaction is over: its verbs work only inside the body of transact')
  }

  /** Undoes everything that a verb wrote if it fails. */
  #savepoint<R>(run: (session: Session) => R): R {
    const session = this.#session()
    return inSavepoint(session, () => run(session))
  }
}
