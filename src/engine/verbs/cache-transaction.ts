import type { Entry, Transaction } from '../contract.js'
import type { Session } from '../database/session.js'
import type { EntryRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { isThenable } from '../disk/describe.js'
import { incr } from '../operations/counters.js'
import { entryOf, isLive, type KeylessEntry, type NewEntry, removeFile, type Taken } from '../operations/entries.js'
import { add, remove, set, take, touch } from '../operations/items.js'
import type { KeyRow } from '../operations/listing.js'
import { kindOf } from '../option-names.js'
import type { Counting, Expiring, Info, Item, Key, Listing, Storing, Tag, Touching } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { checkEntry } from './bulk.js'
import { keyOfRow, type ResolvedListing, resolveListing } from './listing-options.js'
import { inSavepoint, openSavepoint, openSession, promiseError, storedValue } from './open-transaction.js'
import { itemOf, miss, noteFound, toInfo } from './reading.js'
import { listRows } from './transaction-listing.js'
import { clearIn, evictIn, expireIn } from './transaction-removal.js'
import { isStream, takeValueNow } from './value-source.js'
import {
  checkDelta,
  checkIterable,
  checkVerbOptions,
  resolveChangeOf,
  resolveInitial,
  resolveStoring,
} from './verb-options.js'

/** The shards of a transaction, and how it routes keys to them. */
export interface TransactionScope {
  readonly shards: readonly Shard[]
  readonly defaultTtl: number | undefined
  encodeKey(key: Key): EncodedKey
  /** @throws RangeError when the key lies outside of the transaction */
  route(key: EncodedKey): Shard
}

interface Located {
  readonly session: Session
  readonly shard: Shard
  readonly encoded: EncodedKey
}

interface Found {
  readonly session: Session
  readonly row: EntryRow
  readonly value: unknown
}

/** The verbs inside `transact`. They run the operations of the engine synchronously. */
export class CacheTransaction implements Transaction {
  protected readonly scope: TransactionScope
  readonly #state = { open: true }

  constructor(scope: TransactionScope) {
    this.scope = scope
  }

  /** Disables all verbs, after the body has returned. */
  end(): void {
    this.#state.open = false
  }

  get<T = unknown>(key: Key): T | undefined {
    return this.#lookUp(key)?.value as T | undefined
  }

  getItem<T = unknown>(key: Key): Item<T> | undefined {
    const found = this.#lookUp(key)
    return found && itemOf<T>(toInfo(found.session, found.row), found.value)
  }

  info(key: Key): Info | undefined {
    const { session, shard, encoded } = this.locate(key)
    const row = entryOf(session, encoded)
    return row && isLive(row[4], shard.disk.now()) ? toInfo(session, row) : undefined
  }

  getMany<T = unknown>(keys: Iterable<Key>): (T | undefined)[] {
    checkIterable(keys, 'getMany')
    return Array.from(keys, key => this.get<T>(key))
  }

  has(key: Key): boolean {
    const { session, shard, encoded } = this.locate(key)
    const row = entryOf(session, encoded)
    return row !== undefined && isLive(row[4], shard.disk.now())
  }

  set(key: Key, value: unknown, options?: Storing): boolean {
    return this.#store(key, value, options, 'set', set)
  }

  setMany(entries: Iterable<Entry>): boolean[] {
    checkIterable(entries, 'setMany')
    return this.transact(() =>
      Array.from(entries, entry => {
        checkEntry(entry)
        return this.set(...entry)
      }),
    )
  }

  add(key: Key, value: unknown, options?: Storing): boolean {
    return this.#store(key, value, options, 'add', add)
  }

  touch(key: Key, options: Touching): boolean {
    checkVerbOptions(options, 'touch', 'touching')
    const { session, shard, encoded } = this.locate(key)
    const now = shard.disk.now()
    return this.savepoint(session, () => touch(session, encoded, resolveChangeOf(options ?? {}, now), now))
  }

  delete(key: Key): boolean {
    const { session, shard, encoded } = this.locate(key)
    return this.savepoint(session, () => remove(session, encoded, shard.disk.now()))
  }

  deleteMany(keys: Iterable<Key>): boolean[] {
    checkIterable(keys, 'deleteMany')
    return this.transact(() => Array.from(keys, key => this.delete(key)))
  }

  pop<T = unknown>(key: Key): T | undefined {
    return this.popItem<T>(key)?.value
  }

  popItem<T = unknown>(key: Key): Item<T> | undefined {
    const { session, shard, encoded } = this.locate(key)
    return this.savepoint(session, () => this.taken<T>(session, take(session, encoded, shard.disk.now())))
  }

  incr(key: Key, delta?: number, options?: Counting): number
  incr(key: Key, delta: bigint, options?: Counting): bigint
  incr(key: Key, delta: number | bigint = 1, options: Counting = {}): number | bigint {
    return this.#count('incr', key, checkDelta(delta), options)
  }

  decr(key: Key, delta?: number, options?: Counting): number
  decr(key: Key, delta: bigint, options?: Counting): bigint
  decr(key: Key, delta: number | bigint = 1, options: Counting = {}): number | bigint {
    return this.#count('decr', key, -checkDelta(delta), options)
  }

  *keys(options?: Listing): Generator<Key> {
    for (const [session, row] of this.#list(resolveListing(options, 'keys'))) yield keyOfRow(session, row)
  }

  *entries<T = unknown>(options?: Listing): Generator<[Key, T]> {
    const listing = resolveListing(options, 'entries')
    for (const [session, row] of this.#list(listing)) {
      // By the bytes of the row: not every key that a listing shows can be looked up, such as those of a queue under
      // jsonCodec.
      const found = readEntry(session, { data: row[1], raw: row[2] !== 0 }, listing)
      if (found) yield [keyOfRow(session, row), found.value as T]
    }
  }

  count(): number {
    return this.sessions().reduce((sum, session) => sum + Number(session.statements.get('setting', 'count')), 0)
  }

  expire(options?: Pick<Expiring, 'now'>): number {
    return expireIn(this.sessions(), options)
  }

  evict(tag: Tag): number {
    return evictIn(this.sessions(), tag)
  }

  clear(): number {
    return clearIn(this.sessions())
  }

  transact<T>(body: (tx: this) => T): T {
    const sessions = this.sessions()
    const undo = sessions.map(session => openSavepoint(session))
    try {
      const result = body(this)
      if (isThenable(result)) throw promiseError(result)
      for (const { release } of undo) release()
      return result
    } catch (error) {
      for (const { rollBack } of undo) rollBack(error)
      throw error
    }
  }

  /** The open sessions of the shards. @throws TypeError after the body has returned */
  sessions(): Session[] {
    this.#check()
    return this.scope.shards.map(openSession)
  }

  protected locate(key: Key): Located {
    this.#check()
    const encoded = this.scope.encodeKey(key)
    const shard = this.scope.route(encoded)
    return { session: openSession(shard), shard, encoded }
  }

  /** Runs a verb in a savepoint, so that a verb that fails leaves nothing behind. */
  protected savepoint<T>(session: Session, run: () => T): T {
    return inSavepoint(session, run)
  }

  /** The item of a removed row. Its file is read now and removed after the commit. */
  protected taken<T>(session: Session, taken: Taken | undefined): Item<T> | undefined {
    if (!taken) return undefined
    const { row, tags } = taken
    const value = storedValue(session, row)
    if (row[10] !== null) removeFile(session, row[10], row[8])
    return value && itemOf<T>(toInfo(session, row, tags), value.value)
  }

  protected newEntry(shard: Shard, value: unknown, options: Storing | undefined, verb: string): KeylessEntry {
    if (isStream(value)) throw new TypeError(`${verb}: a stream cannot be stored inside transact, which is synchronous`)
    const now = shard.disk.now()
    const storing = resolveStoring(options, now, this.scope.defaultTtl)
    const { prepared, discard } = takeValueNow(shard, value, storing)
    if (discard) openSession(shard).afterRollback(discard)
    return { value: prepared, now, expireTime: storing.expireTime, tag: storing.tag, tags: storing.tags }
  }

  #store(
    key: Key,
    value: unknown,
    options: Storing | undefined,
    verb: string,
    operation: (session: Session, entry: NewEntry) => boolean,
  ): boolean {
    checkVerbOptions(options, verb, 'storing')
    const { session, shard, encoded } = this.locate(key)
    return this.savepoint(session, () => {
      const { value: prepared, now, expireTime, tag, tags } = this.newEntry(shard, value, options, verb)
      const stored = operation(session, { key: encoded, value: prepared, now, expireTime, tag, tags })
      if (!stored && prepared.file) shard.disk.files.discard(prepared.file)
      return stored
    })
  }

  #count(verb: string, key: Key, delta: number | bigint, options: Counting): number | bigint {
    checkVerbOptions(options, verb, 'counting')
    const { session, shard, encoded } = this.locate(key)
    const now = shard.disk.now()
    const { expireTime, tag, tags } = resolveStoring(options, now, this.scope.defaultTtl)
    const initial = resolveInitial(options.default)
    const count = { key: encoded, delta, initial, now, expireTime, tag, tags, verb, name: kindOf(key) }
    return this.savepoint(session, () => incr(session, count)) as number | bigint
  }

  /** Reads a value. The access is noted when the transaction is committed. */
  #lookUp(key: Key): Found | undefined {
    const { session, shard, encoded } = this.locate(key)
    const found = readEntry(session, encoded)
    session.afterCommit(() => {
      if (found) noteFound(shard, session, encoded, found.row[0], found.row[5])
      else miss(shard, session, encoded)
    })
    return found
  }

  *#list(listing: ResolvedListing): Generator<[Session, KeyRow]> {
    for (const listed of listRows(this.sessions(), listing)) {
      yield listed
      this.#check()
    }
  }

  #check(): void {
    if (this.#state.open) return
    throw new TypeError('this transaction is over: its verbs work only inside the body of transact')
  }
}

/** Reads a live entry by the bytes of its key, without noting the access. */
export function readEntry(session: Session, key: EncodedKey, listing?: ResolvedListing): Found | undefined {
  const row = entryOf(session, key)
  if (!row || !(listing?.includeExpired || isLive(row[4], session.disk.now()))) return undefined
  const value = storedValue(session, row)
  return value && { session, row, value: value.value }
}
