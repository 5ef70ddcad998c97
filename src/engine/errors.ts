/** Why a write was refused: the reasons of the `refused` event. */
export type RefusalReason =
  /** The lock of the database was not free before the deadline. */
  | 'timeout'
  /** The value alone is larger than the limit of its shard. */
  | 'too-large'
  /** The disk is full and evicting made no room. */
  | 'full'
  /** The queue of waiting writes is at `maxPending`. */
  | 'pending'

interface Cause {
  readonly cause?: unknown
}

/** What the class of an error is called, on its prototype. */
const KIND = Symbol.for('fanout-cache.error.0')

/**
 * `instanceof` over both builds of the package, ESM and CommonJS: they share engines, and each catches what the other
 * throws.
 */
function isInstance(this: { readonly prototype: object }, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Object.prototype.isPrototypeOf.call(this.prototype, value)) return true
  // Classes that others derive have no kind.
  const kind: unknown = Object.getOwnPropertyDescriptor(this.prototype, KIND)?.value
  if (kind === undefined) return false
  for (let at: unknown = value; at !== null; at = Object.getPrototypeOf(at)) {
    if (Object.getOwnPropertyDescriptor(at, KIND)?.value === kind) return true
  }
  return false
}

/** The root of all errors of this package which are not misuse (`TypeError`, `RangeError`). */
export class DiskCacheError extends Error {
  override name = 'DiskCacheError'
  readonly code: string = 'ERR_DISK_CACHE'
  /** Set on errors by which one write is turned down while the cache goes on working. */
  readonly refusal?: RefusalReason

  static {
    Object.defineProperty(DiskCacheError, Symbol.hasInstance, { value: isInstance })
  }
}

/** A lock was held by somebody else past the deadline. */
export class TimeoutError extends DiskCacheError {
  override name: 'TimeoutError' | 'LockTimeoutError' = 'TimeoutError'
  override readonly code = 'ERR_CACHE_TIMEOUT' as const
  override readonly refusal = 'timeout' as const
  /** Rows that a bulk removal had removed, and committed, before the deadline. */
  readonly removed: number

  constructor(directory: string, removed = 0, options?: Cause) {
    super(`the database in ${directory} was locked by others until the deadline`, options)
    this.removed = removed
  }
}

/** A `Lock`, `RLock` or semaphore was held by others until the deadline of `acquire`. */
export class LockTimeoutError extends TimeoutError {
  override name = 'LockTimeoutError' as const

  constructor(name: string, milliseconds: number, options?: Cause) {
    super('', 0, options)
    this.message = `${name} was held by others for ${Math.round(milliseconds)} ms`
  }
}

/** Somebody else may have the lock now: its holder gave no sign of life for too long, or it was removed. */
export class LeaseLostError extends DiskCacheError {
  override name = 'LeaseLostError' as const
  override readonly code = 'ERR_CACHE_LEASE_LOST' as const

  constructor(name: string) {
    super(`the lease of ${name} was lost`)
  }
}

/** The file system has no room left, and evicting made none. */
export class DiskFullError extends DiskCacheError {
  override name = 'DiskFullError' as const
  override readonly code = 'ERR_CACHE_DISK_FULL' as const
  override readonly refusal = 'full' as const

  constructor(directory: string, options?: Cause) {
    super(`the disk of ${directory} is full`, options)
  }
}

/** A value is larger than what its shard may hold in all. */
export class ValueTooLargeError extends DiskCacheError {
  override name = 'ValueTooLargeError' as const
  override readonly code = 'ERR_CACHE_VALUE_TOO_LARGE' as const
  override readonly refusal = 'too-large' as const

  constructor(size: number, limit: number, shards: number) {
    const whose = shards > 1 ? `the limit of its shard: sizeLimit divided by ${shards} shards is` : 'sizeLimit:'
    super(`a value of ${size} bytes is larger than ${whose} ${limit} bytes`)
  }
}

/** More writes wait for the database than `maxPending` allows. */
export class PendingLimitError extends DiskCacheError {
  override name = 'PendingLimitError' as const
  override readonly code = 'ERR_CACHE_PENDING' as const
  override readonly refusal = 'pending' as const

  constructor(directory: string, waiting: number, bytes: number) {
    super(`${waiting} writes of ${bytes} bytes already wait for ${directory}: maxPending is reached`)
  }
}

/** The database file is damaged, or is no SQLite database. */
export class CorruptError extends DiskCacheError {
  override name = 'CorruptError' as const
  override readonly code = 'ERR_CACHE_CORRUPT' as const

  constructor(directory: string, detail: string, options?: Cause) {
    super(`the database in ${directory} is damaged: ${detail}`, options)
  }
}

/** The database holds tables, indexes or triggers that no version of the cache makes: nothing of it is run. */
export class SchemaError extends DiskCacheError {
  override name = 'SchemaError' as const
  override readonly code = 'ERR_CACHE_SCHEMA' as const

  constructor(directory: string, detail: string) {
    super(`the database in ${directory} is not a cache, or was tampered with: ${detail}`)
  }
}

/** The directory cannot be opened, made, read or written. */
export class DirectoryError extends DiskCacheError {
  override name = 'DirectoryError' as const
  override readonly code = 'ERR_CACHE_DIRECTORY' as const

  constructor(directory: string, detail: string, options?: Cause) {
    super(`cache directory ${directory}: ${detail}`, options)
  }
}

/** A write on a cache that was opened with `readonly`, or whose database cannot be written. */
export class ReadonlyError extends DiskCacheError {
  override name = 'ReadonlyError' as const
  override readonly code = 'ERR_CACHE_READONLY' as const

  constructor(directory: string, options?: Cause, detail?: string) {
    const why =
      options?.cause === undefined
        ? 'is open for reading only'
        : 'cannot be written: this user may not write its database, or the file system is read-only'
    super(`the cache in ${directory} ${detail ?? why}`, options)
  }
}

/** Stored bytes which the codecs cannot, or must not, turn into a value. */
export class DecodeError extends DiskCacheError {
  override name = 'DecodeError' as const
  override readonly code = 'ERR_CACHE_DECODE' as const
}

/** What a schema has against a value, at one place in it. */
export interface ValueIssue {
  /** As one would write it in code: `value.address.zip`. */
  readonly path: string
  /** What was expected there, in the words of the schema. */
  readonly message: string
}

/** A value does not fit the schema of its model, and was not stored. */
export class InvalidValueError extends DiskCacheError {
  override name = 'InvalidValueError' as const
  override readonly code = 'ERR_CACHE_INVALID_VALUE' as const
  readonly model: string
  readonly issues: readonly ValueIssue[]

  /** @param entry which one, where many were given */
  constructor(model: string, entry: string, issues: readonly ValueIssue[], options?: Cause) {
    const [first] = issues
    const others = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''
    super(`${model}${entry}: ${first ? `${first.path}: ${first.message}` : 'the value does not fit'}${others}`, options)
    this.model = model
    this.issues = issues
  }
}

/** SQLite or the file system failed in a way that none of the other classes names; see `cause`. */
export class StorageError extends DiskCacheError {
  override name = 'StorageError' as const
  override readonly code = 'ERR_CACHE_STORAGE' as const

  constructor(directory: string, detail: string, options?: Cause) {
    super(`the cache in ${directory} failed: ${detail}`, options)
  }
}

/** better-sqlite3 cannot run here; the message says what to do. */
export class DriverError extends DiskCacheError {
  override name = 'DriverError' as const
  override readonly code = 'ERR_CACHE_DRIVER' as const
}

/** A cache was used after `close()` that cannot be opened again: its temporary directory is gone. */
export class ClosedError extends TypeError {
  override name = 'ClosedError' as const
  readonly code = 'ERR_CACHE_CLOSED' as const

  constructor(directory: string) {
    super(`this cache was closed and its temporary directory ${directory} removed: make a new Cache`)
  }
}

const KINDS = {
  DiskCacheError,
  TimeoutError,
  LockTimeoutError,
  LeaseLostError,
  DiskFullError,
  ValueTooLargeError,
  PendingLimitError,
  CorruptError,
  SchemaError,
  DirectoryError,
  ReadonlyError,
  DecodeError,
  InvalidValueError,
  StorageError,
  DriverError,
}
for (const [kind, { prototype }] of Object.entries(KINDS)) Object.defineProperty(prototype, KIND, { value: kind })
