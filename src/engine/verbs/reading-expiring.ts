import type { CacheHandle } from '../cache-handle.js'
import { EVICTION_POLICIES } from '../database/eviction-policies.js'
import type { ExpiringRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { turnIsLong } from '../fairness.js'
import { isTraced, traced } from '../observe/verbs.js'
import { isLarge } from '../operations/entries.js'
import type { Key } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { toMilliseconds } from '../time.js'
import { type Answering, answerOf, answerThrough, readNow } from './getting.js'
import { miss, noteFound, readItem, sessionOf } from './reading.js'

/** A value, and the instant at which it expires: epoch milliseconds. */
export interface Valued<T> {
  readonly value: T
  readonly expiresAt: number | undefined
}

type Looked<T> = Valued<T> | undefined

/** `get` for those who must know when the value expires: from memory where that is switched on and true. */
export function readExpiring<T>(handle: CacheHandle, key: Key): Promise<Looked<T>> {
  return isTraced() ? traced(handle, 'get', key, () => look<T>(handle, key)) : look<T>(handle, key)
}

function look<T>(handle: CacheHandle, key: Key): Promise<Looked<T>> {
  const { memory } = handle
  if (memory === undefined) {
    return handle.isOpen ? readNow(handle, key, readRow<T>) : handle.ready(() => look<T>(handle, key))
  }
  const late = turnIsLong()
  const entry = late || typeof key !== 'string' ? undefined : memory.findText(key)
  if (entry !== undefined) return Promise.resolve(answerOf(memory, entry, EXPIRING) as Looked<T>)
  const text = typeof key === 'string' ? key : undefined
  const lookThrough = (shard: Shard, encoded: EncodedKey): Looked<T> | Promise<Looked<T>> =>
    answerThrough(memory, shard, encoded, text, EXPIRING) as Looked<T> | Promise<Looked<T>>
  return readNow(handle, key, lookThrough, undefined, late)
}

function readRow<T>(shard: Shard, key: EncodedKey): Looked<T> | Promise<Looked<T>> {
  const session = sessionOf(shard)
  const { statistics, evictionPolicy } = session.settings
  const marks = statistics || EVICTION_POLICIES[evictionPolicy].marks !== undefined
  const statement = session.statements.prepare(marks ? 'expiringValue' : 'bareExpiringValue')
  const row = statement.get(key.data, key.raw ? 1 : 0, shard.disk.now()) as ExpiringRow | undefined
  if (!row) return miss(shard, session, key)
  const [mode, filename, value, expireTime, rowid, accessTime] = row
  if (filename !== null || isLarge(value)) return readFile<T>(shard, key)
  noteFound(shard, session, key, rowid, accessTime)
  return valued(shard.disk.decode(mode, value), expireTime)
}

function valued<T>(value: unknown, expireTime: number | null): Valued<T> {
  return { value: value as T, expiresAt: expireTime === null ? undefined : toMilliseconds(expireTime) }
}

async function readFile<T>(shard: Shard, key: EncodedKey): Promise<Looked<T>> {
  const item = await readItem<T>(shard, key)
  return item && { value: item.value, expiresAt: item.expiresAt }
}

const EXPIRING: Answering<Valued<unknown>> = { of: valued, past: readRow, stored: readFile }
