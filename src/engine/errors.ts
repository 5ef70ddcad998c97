/**
 * Why a write was refused: the reasons of the `refused` event.
 *
 * - `'timeout'`: the lock of the database was not free before the deadline.
 * - `'too-large'`: the value alone is larger than the limit of its shard.
 * - `'full'`: the disk is full and evicting made no room.
 * - `'pending'`: as many writes wait as `maxPending` allows.
 */
export type RefusalReason = 'timeout' | 'too-large' | 'full' | 'pending'

/** Options of the constructors of errors. */
export interface Cause {
  /** What caused the error. */
  readonly cause?: unknown
}

/** Key of the name of an error class, on its prototype. */
const KIND = Symbol.for('fanout-cache.error.0')

/**
 * Makes `instanceof` work across the ESM and the CommonJS build of the package. They share engines, so that each meets
 * errors of the other.
 */
function isInstance(this: { readonly prototype: object }, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Object.prototype.isPrototypeOf.call(this.prototype, value)) return true
  // Subclasses defined by users have no kind.
  const kind: unknown = Object.getOwnPropertyDescriptor(this.prototype, KIND)?.value
  if (kind === undefined) return false
  for (let at: unknown = value; at !== null; at = Object.getPrototypeOf(at)) {
    if (Object.getOwnPropertyDescriptor(at, KIND)?.value === kind) return true
  }
  return false
}

/** Base class of the errors of this package. Misuse is a `TypeError` or `RangeError` instead. */
export class DiskCacheError extends Error {
  /** The name of the class of the error. */
  override name = 'DiskCacheError'
  /** Identifies the class of the error, such as `'ERR_CACHE_TIMEOUT'`. */
  readonly code: string = 'ERR_DISK_CACHE'
  /** Why a write was refused. Set on errors that concern one write while the cache goes on working. */
  readonly refusal?: RefusalReason

  static {
    Object.defineProperty(DiskCacheError, Symbol.hasInstance, { value: isInstance })
  }
}

/** The lock of the database was not free before the deadline. */
export class TimeoutError extends DiskCacheError {
  override name: 'TimeoutError' | 'LockTimeoutError' = 'TimeoutError'
  override readonly code = 'ERR_CACHE_TIMEOUT' as const
  override readonly refusal = 'timeout' as const
  /** How many rows a bulk removal had removed and committed before the deadline. */
  readonly removed: number

  /** @param removed how many rows a bulk removal had removed by then. Default 0 */
  constructor(directory: string, removed = 0, options?: Cause) {
    super(`the database in ${directory} was locked by others until the deadline`, options)
    this.removed = removed
  }
}

/** A `Lock`, `RLock` or semaphore was not free before the deadline of `acquire`. */
export class LockTimeoutError extends TimeoutError {
  override name = 'LockTimeoutError' as const

  /** @param name which lock, as the message begins; `milliseconds` is how long it was waited for */
  constructor(name: string, milliseconds: number, options?: Cause) {
    super('', 0, options)
    this.message = `${name} was held by others for ${Math.round(milliseconds)} ms`
  }
}

/** A held lock was lost: its holder gave no sign of life for too long, or it was removed. Others may hold it now. */
export class LeaseLostError extends DiskCacheError {
  override name = 'LeaseLostError' as const
  override readonly code = 'ERR_CACHE_LEASE_LOST' as const

  /** @param name which lock, as the message says it */
  constructor(name: string) {
    super(`the lease of ${name} was lost`)
  }
}

/** The file system is full, and evicting made no room. */
export class DiskFullError extends DiskCacheError {
  override name = 'DiskFullError' as const
  override readonly code = 'ERR_CACHE_DISK_FULL' as const
  override readonly refusal = 'full' as const

  /** @param directory the directory whose file system is full */
  constructor(directory: string, options?: Cause) {
    super(`the disk of ${directory} is full`, options)
  }
}

/** A value is larger than the limit of its shard. */
export class ValueTooLargeError extends DiskCacheError {
  override name = 'ValueTooLargeError' as const
  override readonly code = 'ERR_CACHE_VALUE_TOO_LARGE' as const
  override readonly refusal = 'too-large' as const

  /** @param size bytes of the value; `limit` those that one of the `shards` may have */
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

  /** @param waiting how many writes wait; `bytes` those of their values */
  constructor(directory: string, waiting: number, bytes: number) {
    super(`${waiting} writes of ${bytes} bytes already wait for ${directory}: maxPending is reached`)
  }
}

/** The database file is damaged or is no SQLite database. */
export class CorruptError extends DiskCacheError {
  override name = 'CorruptError' as const
  override readonly code = 'ERR_CACHE_CORRUPT' as const

  /** @param detail what is damaged */
  constructor(directory: string, detail: string, options?: Cause) {
    super(`the database in ${directory} is damaged: ${detail}`, options)
  }
}

/** The database has tables, indexes or triggers that no version of the cache creates. Nothing in it is executed. */
export class SchemaError extends DiskCacheError {
  override name = 'SchemaError' as const
  override readonly code = 'ERR_CACHE_SCHEMA' as const

  /** @param detail what no cache creates */
  constructor(directory: string, detail: string) {
    super(`the database in ${directory} is not a cache, or was tampered with: ${detail}`)
  }
}

/** The directory cannot be opened, created, read or written. */
export class DirectoryError extends DiskCacheError {
  override name = 'DirectoryError' as const
  override readonly code = 'ERR_CACHE_DIRECTORY' as const

  /** @param detail what is wrong with the directory */
  constructor(directory: string, detail: string, options?: Cause) {
    super(`cache directory ${directory}: ${detail}`, options)
  }
}

/** A write to a cache that was opened with `readonly`, or whose database cannot be written. */
export class ReadonlyError extends DiskCacheError {
  override name = 'ReadonlyError' as const
  override readonly code = 'ERR_CACHE_READONLY' as const

  /** @param detail why it cannot be written. Default: what `options.cause` tells */
  constructor(directory: string, options?: Cause, detail?: string) {
    const why =
      options?.cause === undefined
        ? 'is read-only: it was opened with readonly: true'
        : 'cannot be written: this user may not write its database, or the file system is read-only'
    super(`the cache in ${directory} ${detail ?? why}`, options)
  }
}

/** Stored bytes that the codecs cannot decode, or refuse to decode. */
export class DecodeError extends DiskCacheError {
  override name = 'DecodeError' as const
  override readonly code = 'ERR_CACHE_DECODE' as const
}

/** One place in a value that violates the schema. */
export interface ValueIssue {
  /** The place as an expression: `value.address.zip`. */
  readonly path: string
  /** What the schema expects there, in its own words. */
  readonly message: string
}

/** A value violates the schema of its model and was not stored. */
export class InvalidValueError extends DiskCacheError {
  override name = 'InvalidValueError' as const
  override readonly code = 'ERR_CACHE_INVALID_VALUE' as const
  /** The name of the model. */
  readonly model: string
  /** All violations that the schema reports. */
  readonly issues: readonly ValueIssue[]

  /** @param entry which entry, when several were given */
  constructor(model: string, entry: string, issues: readonly ValueIssue[], options?: Cause) {
    const [first] = issues
    const others = issues.length > 1 ? ` (and ${issues.length - 1} more)` : ''
    super(`${model}${entry}: ${first ? `${first.path}: ${first.message}` : 'the value does not fit'}${others}`, options)
    this.model = model
    this.issues = issues
  }
}

/** SQLite or the file system failed in a way that no other class covers. See `cause`. */
export class StorageError extends DiskCacheError {
  override name = 'StorageError' as const
  override readonly code = 'ERR_CACHE_STORAGE' as const

  /** @param detail what failed */
  constructor(directory: string, detail: string, options?: Cause) {
    super(`the cache in ${directory} failed: ${detail}`, options)
  }
}

/** better-sqlite3 cannot run here. The message says what to do. */
export class DriverError extends DiskCacheError {
  override name = 'DriverError' as const
  override readonly code = 'ERR_CACHE_DRIVER' as const
}

/** A cache in a temporary directory was used after `close()`, which removes that directory. */
export class ClosedError extends TypeError {
  /** The name of the class of the error. */
  override name = 'ClosedError' as const
  /** Identifies the class of the error. */
  readonly code = 'ERR_CACHE_CLOSED' as const

  /** @param directory the directory that was removed */
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

/** Rebuilds an error of another thread from its name, message and code, as an instance of its class. */
export function rebuildError(name: string, message: string, code: string | undefined): DiskCacheError {
  const error = Object.assign(new DiskCacheError(message), { name, code })
  return Object.defineProperty(error, KIND, { value: name })
}
