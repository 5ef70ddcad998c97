import type { SqlValue } from '../disk/codec.js'

/** All columns of an entry, in the order of the table. */
export type EntryRow = readonly [
  rowid: number,
  key: SqlValue,
  raw: number,
  storeTime: number,
  expireTime: number | null,
  accessTime: number,
  accessCount: number,
  tag: SqlValue,
  size: number,
  mode: number,
  filename: string | null,
  value: SqlValue,
]

/** What `get` reads. */
export type ValueRow = readonly [
  mode: number,
  filename: string | null,
  value: SqlValue,
  rowid?: number,
  accessTime?: number,
]

/** What memory keeps of an entry. */
export type VersionedValueRow = readonly [
  mode: number,
  filename: string | null,
  value: SqlValue,
  rowid: number,
  accessTime: number,
  storeTime: number,
  expireTime: number | null,
]

/** What `get` reads where the expiry matters too. */
export type ExpiringRow = readonly [
  mode: number,
  filename: string | null,
  value: SqlValue,
  expireTime: number | null,
  rowid?: number,
  accessTime?: number,
]

/** An item of a deque that is taken out. */
export type ItemRow = readonly [
  rowid: number,
  expireTime: number | null,
  size: number,
  mode: number,
  filename: string | null,
  value: SqlValue,
]

/** What is known of how a value was computed. */
export type ComputationRow = readonly [
  expireTime: number | null,
  due: number | null,
  seconds: number,
  rowid: number,
  storeTime: number,
]

/** What a write must know of the row it replaces. */
export type StateRow = readonly [
  rowid: number,
  filename: string | null,
  size: number,
  expireTime: number | null,
  storeTime: number,
  mode: number,
]

/** What a removal must know of a row. */
export type RemovalRow = readonly [rowid: number, filename: string | null, size: number]

/** A row that eviction may take, with its key for those who listen. */
export type VictimRow = readonly [...row: RemovalRow, key: SqlValue, raw: number, accessTime?: number]
