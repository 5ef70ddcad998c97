import type { ComputationRow } from '../database/statements.js'
import type { SqlValue } from '../disk/codec.js'
import type { KeyIdentity } from '../disk/keys.js'
import type { LruNode } from './lru-map.js'
import type { ShardMemory } from './shard-memory.js'

/** The row of a live entry that lies in the database. Times are seconds. */
export interface LoadedRow {
  readonly rowid: number
  readonly storeTime: number
  readonly expireTime: number | null
  readonly accessTime: number
}

/** The known state of a key: the value of its row, or that there is none. */
export interface Fact {
  readonly shard: ShardMemory
  readonly key: KeyIdentity
  /** The key as the caller wrote it, if its identity is another text. */
  readonly alias: string | undefined
  readonly data: SqlValue
  readonly raw: 0 | 1
  /** Absent: there is no live row. */
  readonly row: LoadedRow | undefined
  readonly isYoung: boolean
  readonly mode: number
  readonly value: unknown
  readonly bytes: number
  /** When it expires in memory: with the time to live of the row or of the memory. Seconds. */
  readonly until: number
}

/** An entry of the memory tier. It is a class with a fixed order of fields, so that V8 uses one shape. */
export class MemoryEntry implements LruNode<KeyIdentity, MemoryEntry> {
  readonly shard: ShardMemory
  readonly key: KeyIdentity
  readonly alias: string | undefined
  readonly data: SqlValue
  readonly raw: 0 | 1
  /** -1: there is no live row. */
  readonly rowid: number
  readonly storeTime: number
  readonly expireTime: number | null
  accessTime: number
  readonly mode: number
  readonly value: unknown
  readonly bytes: number
  until: number
  /** Whether others may yet remove its row, and store one in the same millisecond that has the same version. */
  isYoung: boolean
  /** The epoch of its shard for which it is known to be current. */
  epoch: number
  /** How this version of the value was computed. `null`: it was not; `undefined`: not known yet. */
  computation: ComputationRow | null | undefined
  newer: MemoryEntry | undefined
  older: MemoryEntry | undefined

  constructor(fact: Fact) {
    this.shard = fact.shard
    this.key = fact.key
    this.alias = fact.alias
    this.data = fact.data
    this.raw = fact.raw
    this.rowid = fact.row?.rowid ?? -1
    this.storeTime = fact.row?.storeTime ?? 0
    this.expireTime = fact.row?.expireTime ?? null
    this.accessTime = fact.row?.accessTime ?? 0
    this.mode = fact.mode
    this.value = fact.value
    this.bytes = fact.bytes
    this.until = fact.until
    this.isYoung = fact.isYoung
    this.epoch = fact.shard.epoch
    this.computation = undefined
    this.newer = undefined
    this.older = undefined
  }

  /** Whether its key is a string of the user and its identity that string. */
  get isText(): boolean {
    return this.raw === 1 && typeof this.data === 'string'
  }

  /** Whether it records that the key has no entry. */
  get isMiss(): boolean {
    return this.rowid < 0
  }
}

/**
 * Whether a row was stored in this millisecond or the one before, so that its store time may come again. Seconds. The clock
 * is read after the row.
 */
export function isYoung(storeTime: number, now: number): boolean {
  return storeTime > now - 0.002
}
