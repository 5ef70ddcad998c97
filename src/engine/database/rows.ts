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

/** The columns that `get` reads. */
export type ValueRow = readonly [
  mode: number,
  filename: string | null,
  value: SqlValue,
  rowid?: number,
  accessTime?: number,
]

/** The columns that the memory tier keeps. */
export type VersionedValueRow = readonly [
  mode: number,
  filename: string | null,
  value: SqlValue,
  rowid: number,
  accessTime: number,
  storeTime: number,
  expireTime: number | null,
]

/** The columns that `get` reads when it needs the expiry as well. */
export type ExpiringRow = readonly [
  mode: number,
  filename: string | null,
  value: SqlValue,
  expireTime: number | null,
  rowid?: number,
  accessTime?: number,
]

/** The columns of an item that is removed from a deque and returned. */
export type ItemRow = readonly [
  rowid: number,
  expireTime: number | null,
  size: number,
  mode: number,
  filename: string | null,
  value: SqlValue,
  storeTime: number,
]

/** The columns about the computation of a value. */
export type ComputationRow = readonly [
  expireTime: number | null,
  due: number | null,
  seconds: number,
  rowid: number,
  storeTime: number,
]

/** The columns that a write needs of the row it replaces. */
export type StateRow = readonly [
  rowid: number,
  filename: string | null,
  size: number,
  expireTime: number | null,
  storeTime: number,
  mode: number,
]

/** The columns that a removal needs. */
export type RemovalRow = readonly [rowid: number, filename: string | null, size: number]

/** A row that may be evicted, with its key for listeners. */
export type VictimRow = readonly [...row: RemovalRow, key: SqlValue, raw: number, accessTime?: number]
