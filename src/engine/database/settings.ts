import type { EvictionPolicy } from '../options.js'
import type { Connection } from './connection.js'
import { isEvictionPolicy } from './eviction-policies.js'

/** The settings of one database, in the units in which they are used. */
export interface StoredSettings {
  readonly statistics: boolean
  readonly tagIndex: boolean
  readonly evictionPolicy: EvictionPolicy
  /** Limit of this database with its files. Bytes. */
  readonly sizeLimit: number
  readonly maxItems: number | null
  readonly cullLimit: number
  readonly minFileSize: number
  /** Seconds. */
  readonly unlinkGrace: number
  readonly cacheSize: number
  readonly mmapSize: number
  readonly journalMode: string
  readonly synchronous: number
  readonly autoVacuum: number
  readonly pickleProtocol: number
  /** Compression level of JSONDisk's keys, if stored. Otherwise it is 1. */
  readonly compressLevel?: number
  /** Whether `sizeLimit` is stored as REAL, as Python's FanoutCache stores it. */
  readonly realSizeLimit: boolean
}

/** DiskCache's defaults. */
export const DEFAULT_SETTINGS: StoredSettings = {
  statistics: false,
  tagIndex: false,
  evictionPolicy: 'least-recently-stored',
  sizeLimit: 2 ** 30,
  maxItems: null,
  cullLimit: 10,
  minFileSize: 32_768,
  unlinkGrace: 0,
  cacheSize: 8192,
  mmapSize: 2 ** 26,
  journalMode: 'wal',
  synchronous: 1,
  autoVacuum: 1,
  pickleProtocol: 5,
  realSizeLimit: false,
}

/** The least limit of a shard. Less leaves no room for the tables themselves. Bytes. */
export const LEAST_SIZE_LIMIT: number = 64 * 1024

/** Rows of Settings that are no settings. Triggers and statistics maintain them. */
export const METADATA = ['count', 'size', 'hits', 'misses'] as const

type SettingName = Exclude<keyof StoredSettings, 'realSizeLimit'>

/**
 * Names in the Settings table. Python turns every key into an attribute, `sqlite_*` into a pragma and `disk_*` into a
 * keyword of its Disk. Our own settings therefore have neither prefix nor the name of a method.
 */
const KEYS: Readonly<Record<SettingName, string>> = {
  statistics: 'statistics',
  tagIndex: 'tag_index',
  evictionPolicy: 'eviction_policy',
  sizeLimit: 'size_limit',
  maxItems: 'max_items',
  cullLimit: 'cull_limit',
  autoVacuum: 'sqlite_auto_vacuum',
  cacheSize: 'sqlite_cache_size',
  journalMode: 'sqlite_journal_mode',
  mmapSize: 'sqlite_mmap_size',
  synchronous: 'sqlite_synchronous',
  minFileSize: 'disk_min_file_size',
  pickleProtocol: 'disk_pickle_protocol',
  compressLevel: 'disk_compress_level',
  unlinkGrace: 'unlink_grace',
}

/** The journal modes that keep commits when a process dies, which `off` and `memory` do not. */
export const JOURNAL_MODES: readonly string[] = ['wal', 'delete', 'truncate', 'persist']

type SettingValue = string | number | bigint | null

/** Reads the stored settings over the defaults. Invalid rows, as of a tampered database, are ignored. */
export function readSettings(db: Connection): {
  readonly settings: StoredSettings
  readonly stored: Partial<StoredSettings>
} {
  const rows = db.prepare<[], { key: string; value: unknown }>('SELECT key, value FROM Settings').all()
  const byKey = new Map(rows.map(({ key, value }) => [key, value]))
  const stored: Record<string, unknown> = {}
  for (const [name, key] of Object.entries(KEYS)) {
    if (!byKey.has(key)) continue
    const value = decode(name as SettingName, byKey.get(key))
    if (value !== undefined) stored[name] = value
  }
  return { settings: { ...DEFAULT_SETTINGS, ...stored } as StoredSettings, stored: stored as Partial<StoredSettings> }
}

/** Rows of the Settings table for the given settings. */
export function settingRows(settings: Partial<StoredSettings>): [key: string, value: SettingValue][] {
  const rows: [string, SettingValue][] = []
  for (const [name, key] of Object.entries(KEYS)) {
    const value = settings[name as SettingName]
    if (value === undefined) continue
    // DiskCache does not know these two, so they are stored only when they are used.
    if (name === 'unlinkGrace' && value === 0 && settings.pickleProtocol !== undefined) continue
    if (name === 'maxItems' && value === null && settings.pickleProtocol !== undefined) continue
    rows.push([key, encode(name as SettingName, value, settings.realSizeLimit === true)])
  }
  return rows
}

export function writeSettingRow(db: Connection, key: string, value: SettingValue): void {
  db.prepare('INSERT OR REPLACE INTO Settings (key, value) VALUES (?, ?)').run(key, value)
}

/**
 * The length of the log, in pages, at which it is copied to the database, if the cache is large enough for a log of
 * 8 MiB. With SQLite's 1000 that took a sixth of the time of a `set`.
 */
const CHECKPOINT_PAGES = 2000
const CHECKPOINT_MIN_SIZE_LIMIT = 64 * 2 ** 20
const SQLITE_CHECKPOINT_PAGES = 1000

/** The length of the log, in pages, at which commits copy it where no thread does: see log-copying.ts. */
export function checkpointPages({ sizeLimit }: StoredSettings): number {
  return sizeLimit >= CHECKPOINT_MIN_SIZE_LIMIT ? CHECKPOINT_PAGES : SQLITE_CHECKPOINT_PAGES
}

/** The same while a thread copies the log, that of upkeep or of the process, so that commits seldom have to. */
export function deferredCheckpointPages(settings: StoredSettings): number {
  return 2 * checkpointPages(settings)
}

/**
 * Size of the pages of a new database. A commit writes whole pages to the log. Queues, locks and whatever else never
 * evicts are written about as often as they are read, mostly in small rows, and use smaller pages than a cache, whose
 * values of some KiB would be read more slowly from them. Python opens either.
 */
export function pageBytes({ evictionPolicy }: Partial<StoredSettings>): number {
  return evictionPolicy === 'none' ? 2048 : 4096
}

/** The `synchronous` from which a COMMIT waits for the disk. */
export const FULL_SYNC = 2

/** A page cache is given in pages of this size, whatever the database has, as in Python. KiB. */
const CACHED_PAGE_KIB = 4
const MOST_CACHE_KIB = 2 ** 31 - 1

/** Sets the pragmas of one connection from checked settings, never from text of the database. */
export function applyPragmas(db: Connection, settings: StoredSettings, shards: number, mmapSize: number): void {
  const { cacheSize } = settings
  // A negative size counts in KiB, and 0 stays 0.
  const kibibytes = cacheSize > 0 ? cacheSize * CACHED_PAGE_KIB : -cacheSize
  db.pragma(`cache_size = ${-Math.min(Math.ceil(kibibytes / shards), MOST_CACHE_KIB)}`)
  db.pragma(`mmap_size = ${mmapSize}`)
  db.pragma(`synchronous = ${settings.synchronous}`)
  db.pragma(`wal_autocheckpoint = ${checkpointPages(settings)}`)
}

// Whole numbers are bound as bigint: better-sqlite3 binds numbers as REAL, and a REAL protocol breaks Python's
// pickling.
function encode(name: SettingName, value: string | number | boolean | null, real: boolean): SettingValue {
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value !== 'number') return value
  if (name === 'sizeLimit' && real) return value
  return Number.isSafeInteger(value) ? BigInt(value) : value
}

function decode(name: SettingName, value: unknown): unknown {
  switch (name) {
    case 'statistics':
    case 'tagIndex':
      return typeof value === 'number' ? value !== 0 : undefined
    case 'evictionPolicy':
      return isEvictionPolicy(value) ? value : undefined
    case 'journalMode':
      return typeof value === 'string' && JOURNAL_MODES.includes(value.toLowerCase()) ? value.toLowerCase() : undefined
    case 'maxItems':
      if (value === null) return null
      return isNumber(value, 1, Number.MAX_SAFE_INTEGER) ? Math.trunc(value) : undefined
    case 'compressLevel':
      return isNumber(value, 0, 9) ? Math.trunc(value) : undefined
    case 'synchronous':
      return isNumber(value, 0, 3) ? Math.trunc(value) : undefined
    case 'autoVacuum':
      return isNumber(value, 0, 2) ? Math.trunc(value) : undefined
    case 'cacheSize':
      return isNumber(value, -(2 ** 31), 2 ** 31) ? Math.trunc(value) : undefined
    case 'sizeLimit':
    case 'unlinkGrace':
      return limited(value)
    default: {
      const limit = limited(value)
      return limit === undefined ? undefined : Math.trunc(limit)
    }
  }
}

function limited(value: unknown): number | undefined {
  // Python users may store `float('inf')` or `sys.maxsize` for no limit.
  return isNumber(value, 0, Number.POSITIVE_INFINITY) ? Math.min(value, Number.MAX_SAFE_INTEGER) : undefined
}

function isNumber(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most
}
