import type { ComputationRow } from '../database/statements.js'
import type { SqlValue } from '../disk/codec.js'
import type { KeyIdentity } from '../disk/keys.js'
import type { LruNode } from './lru-map.js'
import type { ShardMemory } from './shard-memory.js'

/** The version of a row: it changes with every change of its entry. */
export interface RowVersion {
  readonly rowid: number
  readonly storeTime: number
  /** Seconds. */
  readonly expireTime: number | null
}

/** What is known of a key: the value of its row, or that there is none. */
export interface Fact {
  readonly shard: ShardMemory
  readonly key: KeyIdentity
  /** The key as the caller wrote it, where its identity is another text. */
  readonly alias: string | undefined
  readonly data: SqlValue
  readonly raw: 0 | 1
  /** Absent: there is no live row. */
  readonly row: (RowVersion & { readonly accessTime: number }) | undefined
  readonly mode: number
  readonly value: unknown
  readonly bytes: number
  /** When it ends in memory: with the row's time to live or that of the memory. Seconds. */
  readonly until: number
}

/** An entry of the memory tier. A class with its fields in one order, so that V8 knows one shape. */
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
  /** The state of its shard for which it is known to be true. */
  epoch: number
  /** How the value was computed; `null`: it was not; `undefined`: not looked at. It is of this version of the row. */
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
    this.epoch = fact.shard.epoch
    this.computation = undefined
    this.newer = undefined
    this.older = undefined
  }

  /** Whether its key is a text of the user, and its identity that text. */
  get isText(): boolean {
    return this.raw === 1 && typeof this.data === 'string'
  }

  /** Whether it says that the key has no entry. */
  get isMiss(): boolean {
    return this.rowid < 0
  }
}
