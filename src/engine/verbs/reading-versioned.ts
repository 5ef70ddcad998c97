import type { CacheHandle } from '../cache-handle.js'
import type { VersionedValueRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { isLarge, versionOf } from '../operations/entries.js'
import type { Key } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { toExpiry, toMilliseconds } from '../time.js'
import { type Answering, readAtOnce } from './getting.js'
import { miss, noteFound, readItem, sessionOf } from './reading.js'

/** A value with the version and the times of its entry. */
export interface Versioned<T> {
  readonly value: T
  /** Epoch milliseconds. */
  readonly storedAt: number
  readonly expiresAt?: number | undefined
  readonly version: string
}

type Looked<T> = Versioned<T> | undefined

/**
 * Reads a value with its version, from memory if it is switched on and has a current entry. Cheaper than `get`: it
 * returns no promise when the value is available at once.
 */
export function readVersioned<T>(handle: CacheHandle, key: Key): Looked<T> | Promise<Looked<T>> {
  return readAtOnce(handle, key, VERSIONED as Answering<Versioned<T>>)
}

function readRow(shard: Shard, key: EncodedKey): Looked<unknown> | Promise<Looked<unknown>> {
  const session = sessionOf(shard)
  const statement = session.statements.prepare('versionedValue')
  const row = statement.get(key.data, key.raw ? 1 : 0, shard.disk.now()) as VersionedValueRow | undefined
  if (!row) return miss(shard, session, key)
  const [mode, filename, value, rowid, accessTime, storeTime, expireTime] = row
  if (filename !== null || isLarge(value)) return readItem(shard, key)
  noteFound(shard, session, key, rowid, accessTime)
  return versioned(shard.disk.decode(mode, value), expireTime, storeTime, rowid)
}

function versioned(value: unknown, expireTime: number | null, storeTime: number, rowid: number): Versioned<unknown> {
  return new RowValue(value, expireTime, storeTime, rowid)
}

/** A value read from a row. The version is built on demand, since few callers use it. */
class RowValue implements Versioned<unknown> {
  readonly value: unknown
  readonly #expireTime: number | null
  readonly #storeTime: number
  readonly #rowid: number

  constructor(value: unknown, expireTime: number | null, storeTime: number, rowid: number) {
    this.value = value
    this.#expireTime = expireTime
    this.#storeTime = storeTime
    this.#rowid = rowid
  }

  get storedAt(): number {
    return toMilliseconds(this.#storeTime)
  }

  get expiresAt(): number | undefined {
    return toExpiry(this.#expireTime)
  }

  get version(): string {
    return versionOf(this.#rowid, this.#storeTime, this.#expireTime)
  }
}

const VERSIONED: Answering<Versioned<unknown>> = { of: versioned, past: readRow, stored: readItem }
