import type { CacheHandle } from '../cache-handle.js'
import { EVICTION_POLICIES } from '../database/eviction-policies.js'
import type { ExpiringRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { traced } from '../observe/verbs.js'
import { isLarge } from '../operations/entries.js'
import type { Key } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { toExpiry } from '../time.js'
import { type Answering, readAtOnce } from './getting.js'
import { readMany } from './getting-many.js'
import { miss, noteFound, readItem, sessionOf } from './reading.js'

/** A value and its expiry in epoch milliseconds. */
export interface Valued<T> {
  readonly value: T
  readonly expiresAt: number | undefined
}

type Looked<T> = Valued<T> | undefined

/**
 * Reads a value with its expiry, from memory if it is switched on and has a current entry. Returns no promise when the
 * value is available at once.
 */
export function readExpiring<T>(handle: CacheHandle, key: Key): Looked<T> | Promise<Looked<T>> {
  return readAtOnce(handle, key, EXPIRING as Answering<Valued<T>>)
}

/** Reads several values with their expiries, in the order of the keys. */
export function readManyExpiring<T>(handle: CacheHandle, keys: readonly Key[]): Promise<Looked<T>[]> {
  return traced(handle, 'getMany', undefined, () => readMany(handle, keys, EXPIRING as Answering<Valued<T>>))
}

function readRow(shard: Shard, key: EncodedKey): Looked<unknown> | Promise<Looked<unknown>> {
  const session = sessionOf(shard)
  const { statistics, evictionPolicy } = session.settings
  const marks = statistics || EVICTION_POLICIES[evictionPolicy].marks !== undefined
  const statement = session.statements.prepare(marks ? 'expiringValue' : 'bareExpiringValue')
  const row = statement.get(key.data, key.raw ? 1 : 0, shard.disk.now()) as ExpiringRow | undefined
  if (!row) return miss(shard, session, key)
  const [mode, filename, value, expireTime, rowid, accessTime] = row
  if (filename !== null || isLarge(value)) return readFile(shard, key)
  noteFound(shard, session, key, rowid, accessTime)
  return valued(shard.disk.decode(mode, value), expireTime)
}

function valued(value: unknown, expireTime: number | null): Valued<unknown> {
  return { value, expiresAt: toExpiry(expireTime) }
}

async function readFile(shard: Shard, key: EncodedKey): Promise<Looked<unknown>> {
  const item = await readItem(shard, key)
  return item && { value: item.value, expiresAt: item.expiresAt }
}

const EXPIRING: Answering<Valued<unknown>> = { of: valued, past: readRow, stored: readFile }
