import type { EncodedKey } from '../disk/codec.js'
import type { Disk } from '../disk/disk.js'
import type { PendingFile } from '../disk/pending-file.js'
import type { ShardWatch } from '../observe/shard-watch.js'
import type { Connection } from './connection.js'
import { namesInSchema, type SchemaState } from './schema-check.js'
import type { StoredSettings } from './settings.js'
import type { Statements } from './statements.js'

/** A task for after the commit. The promise of the operation waits for a promise that it returns. */
export type CommitTask = () => void | Promise<void>

/** What was last seen of the holder of a lease. `since` is on the clock of `performance.now()`. */
export interface SignOfLife {
  readonly sign: string
  readonly since: number
}

/** The largest limit of `pageRows` but none. */
export const LARGEST_PAGE_LIMIT = 64

/** The side tables, which are created on first use. */
export type SideTable = 'entryTags' | 'unlinkLater' | 'leases' | 'freshness'

/** A state of a session to which a savepoint can return. */
export interface SessionMark {
  readonly commits: number
  readonly rollbacks: number
  /** The counts of stored and removed rows at that state. */
  readonly done?: readonly [stored: number, removed: number, expired: number, evicted: number]
}

/**
 * The working environment of operations: the open transaction of one database, its files and settings. Operations are
 * synchronous functions over a session and know nothing of promises, retries or batches.
 */
export class Session {
  readonly db: Connection
  readonly statements: Statements
  readonly disk: Disk
  settings: StoredSettings
  /** Keys stored in this transaction, which eviction skips. */
  stored: EncodedKey[] = []
  /**
   * The latest store time that a removed row may have had. SQLite reuses the rowid of the last row when it is removed;
   * a new row must then not look like the removed one.
   */
  removedUntil = 0
  /** The `data_version` when a write last looked whether others had committed, and whether one of this transaction did. */
  othersVersion: unknown
  hasLooked = false
  /** What is stored from now on gets a later time, so that the removal in pages that is under way leaves it. Seconds. */
  pagedUntil = 0
  /** How many rows a removal in pages may remove in one transaction. Fewer after a page that found the disk full. */
  pageRows: number = Number.POSITIVE_INFINITY
  /** Number of committed transactions, for comparison by readers. */
  commits = 0
  /** Whether rows were stored, so that culling has something to look at. */
  grew = false
  /** Whether rows were to be stored. SQLite may have found no room for them. */
  grows = false
  /** Whether the last stored key was new. The next one probably is as well. */
  storesNewKeys = false
  /** Whether a read runs inside a batch of writes. It runs again when the batch is rolled back. */
  amongWrites = false
  /** Value files that this transaction has put into their places. */
  placed: PendingFile[] = []
  /** Bytes that the operations of this transaction have stored. */
  bytes = 0
  /** Rows that this transaction has removed, and those of them that had expired or were evicted. */
  removed = 0
  expired = 0
  evicted = 0
  /** The error on which SQLite has rolled this transaction back by itself, if a body met one. */
  lostBy: unknown
  /** When this transaction began, if somebody observes it. On the clock of `performance.now()`. */
  begunAt: number = Number.NaN
  /** Fencing numbers that this process can assign without writing: the last assigned and the last reserved. */
  readonly fences: { last: number; upTo: number } = { last: 0, upTo: Number.NaN }
  /** The holders of leases who seem to have a clock that is ahead, by the names of these leases. */
  readonly signs: Map<string, SignOfLife> = new Map()
  /** Tokens of leases that this process has given up, until that is written or they have ended by themselves. */
  readonly givenUp: Set<string> = new Set()
  /** Value files that this process put into grace, with the end of the grace. Epoch seconds. */
  readonly letGo: Map<string, number> = new Map()
  /** Bytes that may still be put into grace before their sum must be computed again. */
  graceRoom = 0
  /** Whether the side tables and the tag index exist. */
  entryTags: boolean
  unlinkLater: boolean
  leases: boolean
  freshness: boolean
  tagIndex: boolean
  indexes: ReadonlySet<string>
  #isReading = false
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

  /** Whether a side table exists. Another process may just have created it. */
  has(table: SideTable): boolean {
    if (!this[table]) this.refreshSchema()
    return this[table]
  }

  /** Whether a transaction of writes is open, so that a read may see what is never committed. */
  get isWriting(): boolean {
    return this.db.inTransaction && !this.#isReading
  }

  /** Runs reads that belong together, so that nobody commits between them. */
  atOneMoment<T>(read: () => T): T {
    if (this.db.inTransaction) return read()
    this.statements.run('beginReading')
    this.#isReading = true
    try {
      return read()
    } finally {
      this.#isReading = false
      if (this.db.inTransaction) this.statements.run('rollback')
    }
  }

  /** Notices tables and indexes that others have created. Costs a microsecond when nothing has changed. */
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

  /** Registers a task that undoes an effect outside of the database. Tasks run newest first. */
  afterRollback(task: () => void): void {
    this.#rollbacks.push(task)
  }

  /** Number of tasks that wait for the commit. */
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

  /** Ends a committed transaction with `writes` writes, and returns its tasks. */
  takeCommitTasks(writes: number): CommitTask[] {
    this.commits++
    if (this.#rollbacks.length > 0) this.#rollbacks.length = 0
    this.pageRows = this.pageRows < LARGEST_PAGE_LIMIT ? this.pageRows * 2 : Number.POSITIVE_INFINITY
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
    if (this.placed.length > 0) this.placed = []
    this.hasLooked = false
    this.grew = false
    this.grows = false
    this.bytes = 0
    this.removed = 0
    this.expired = 0
    this.evicted = 0
    this.lostBy = undefined
    this.begunAt = Number.NaN
  }
}
