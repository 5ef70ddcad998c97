import type { EncodedKey } from '../disk/codec.js'
import type { Disk } from '../disk/disk.js'
import type { ShardWatch } from '../observe/shard-watch.js'
import type { Connection } from './connection.js'
import { namesInSchema, type SchemaState } from './schema-check.js'
import type { StoredSettings } from './settings.js'
import type { Statements } from './statements.js'

/** Work for after the commit; what it returns is waited for before the operation's promise settles. */
export type CommitTask = () => void | Promise<void>

/** Side tables, which are made on first use. */
export type SideTable = 'entryTags' | 'unlinkLater' | 'leases' | 'freshness'

/** A place in the work of a session, to which a savepoint can go back. */
export interface SessionMark {
  readonly commits: number
  readonly rollbacks: number
  /** How much was stored and removed before it. */
  readonly done?: readonly [stored: number, removed: number, expired: number, evicted: number]
}

/**
 * What an operation may touch: the open transaction of one database, its files and settings. Operations are
 * synchronous functions over a session and know nothing of promises, retries or batches.
 */
export class Session {
  readonly db: Connection
  readonly statements: Statements
  readonly disk: Disk
  settings: StoredSettings
  /** Keys stored in this transaction, which eviction passes over. */
  stored: EncodedKey[] = []
  /**
   * The latest store time that a removed row may have had. SQLite gives a rowid again when the last row was removed:
   * a new row must not pass for the removed one.
   */
  removedUntil = 0
  /** How many rows were removed: who counts compares. */
  removals = 0
  /** How many transactions were committed: who has read compares. */
  commits = 0
  /** Whether rows were stored, so that culling has something to look at. */
  grew = false
  /** Whether the last key that was stored was a new one: the next one probably is, too. */
  storesNewKeys = false
  /** A read runs among the writes of a batch: when that is rolled back, it runs again. */
  amongWrites = false
  /** Bytes that the operations of this transaction brought. */
  bytes = 0
  /** Rows that this transaction has removed, and those among them that had expired or went to make room. */
  removed = 0
  expired = 0
  evicted = 0
  /** The error at which SQLite has rolled this transaction back by itself, if a body met it. */
  lostBy: unknown
  /** When this transaction began, where somebody wants to know: on the clock of `performance.now()`. */
  begunAt: number = Number.NaN
  /** Fencing numbers that this process may give without writing: the last it gave, and the last it reserved. */
  readonly fences: { last: number; upTo: number } = { last: 0, upTo: Number.NaN }
  /** Value files that this process put into grace, and when that is over. Epoch seconds. */
  readonly letGo: Map<string, number> = new Map()
  /** Bytes that may still be put into grace before their sum is worth a look. */
  graceRoom = 0
  /** Whether the side tables and the tag index are there. */
  entryTags: boolean
  unlinkLater: boolean
  leases: boolean
  freshness: boolean
  tagIndex: boolean
  indexes: ReadonlySet<string>
  #schemaVersion: unknown
  #commits: CommitTask[] = []
  readonly #rollbacks: (() => void)[] = []
  readonly #watch: ShardWatch

  constructor(parts: {
    readonly db: Connection
    readonly statements: Statements
    readonly disk: Disk
    readonly settings: StoredSettings
    readonly schema: SchemaState
    readonly watch: ShardWatch
  }) {
    this.db = parts.db
    this.statements = parts.statements
    this.disk = parts.disk
    this.settings = parts.settings
    this.#watch = parts.watch
    this.entryTags = parts.schema.entryTags
    this.unlinkLater = parts.schema.unlinkLater
    this.leases = parts.schema.leases
    this.freshness = parts.schema.freshness
    this.tagIndex = parts.schema.tagIndex
    this.indexes = parts.schema.indexes
  }

  /** Whether there is a side table. Another process may just have made it. */
  has(table: SideTable): boolean {
    if (!this[table]) this.refreshSchema()
    return this[table]
  }

  /** Notices tables and indexes that others have made. Costs a microsecond where nothing has changed. */
  refreshSchema(): void {
    const version = this.statements.get('schemaVersion')
    if (version === this.#schemaVersion) return
    this.#schemaVersion = version
    const names = namesInSchema(this.db)
    this.indexes = names
    this.entryTags = names.has('EntryTag')
    this.unlinkLater = names.has('UnlinkLater')
    this.leases = names.has('Lease') && names.has('Fence')
    this.freshness = names.has('Freshness')
    this.tagIndex = names.has('Cache_tag_rowid')
  }

  afterCommit(task: CommitTask): void {
    this.#commits.push(task)
  }

  /** Undoes what the transaction did outside of the database; runs newest first. */
  afterRollback(task: () => void): void {
    this.#rollbacks.push(task)
  }

  /** How many tasks wait for the commit. */
  get commitTasks(): number {
    return this.#commits.length
  }

  mark(): SessionMark {
    const done = [this.stored.length, this.removed, this.expired, this.evicted] as const
    return { commits: this.#commits.length, rollbacks: this.#rollbacks.length, done }
  }

  undoTo(mark: SessionMark): void {
    this.#commits.length = mark.commits
    while (this.#rollbacks.length > mark.rollbacks) this.#rollbacks.pop()?.()
    if (!mark.done) return
    const [stored, removed, expired, evicted] = mark.done
    this.stored.length = stored
    Object.assign(this, { removed, expired, evicted })
  }

  /** Hands over the tasks of a transaction that was committed, in which there were so many writes. */
  takeCommitTasks(writes: number): CommitTask[] {
    this.commits++
    if (this.#rollbacks.length > 0) this.#rollbacks.length = 0
    const tell = this.#watch.committed(this, writes)
    this.#reset()
    tell?.()
    if (this.#commits.length === 0) return this.#commits
    const tasks = this.#commits
    this.#commits = []
    return tasks
  }

  rolledBack(): void {
    this.undoTo({ commits: 0, rollbacks: 0 })
    this.#reset()
  }

  #reset(): void {
    if (this.stored.length > 0) this.stored = []
    this.grew = false
    this.bytes = 0
    this.removed = 0
    this.expired = 0
    this.evicted = 0
    this.lostBy = undefined
    this.begunAt = Number.NaN
  }
}
