import { SchemaError } from '../errors.js'
import type { Connection } from './connection.js'
import { EVICTION_POLICIES } from './eviction-policies.js'
import {
  CACHE_TABLE,
  ENTRY_TAG,
  FRESHNESS,
  INDEXES,
  LEASES,
  PYTHON_TRIGGERS,
  SETTINGS_TABLE,
  TAG_INDEX,
  TRIGGERS,
  UNLINK_LATER,
} from './schema.js'

/** How much of the schema a database has. */
export interface SchemaState {
  /** The database is empty. */
  readonly empty: boolean
  /** Tables, indexes or triggers are missing, because their creation is under way or was interrupted. */
  readonly incomplete: boolean
  /** Triggers have Python's double quotes. Writes through better-sqlite3 fail until they are rewritten. */
  readonly foreignTriggers: boolean
  readonly tagIndex: boolean
  readonly entryTags: boolean
  readonly unlinkLater: boolean
  readonly leases: boolean
  readonly freshness: boolean
  /** Names of the existing indexes of policies. */
  readonly indexes: ReadonlySet<string>
}

interface SchemaRow {
  readonly type: string
  readonly name: string
  readonly tbl_name: string
  readonly sql: string | null
}

const OURS = new Map<string, readonly string[]>([
  ['table Settings', [SETTINGS_TABLE]],
  ['table Cache', [CACHE_TABLE]],
  ...entries('index', INDEXES),
  ...Object.keys(TRIGGERS).map(name => [`trigger ${name}`, triggers(name)] as const),
  ...Object.entries({ ...ENTRY_TAG, ...UNLINK_LATER, ...LEASES, ...FRESHNESS }).map(
    ([name, sql]) => [`${kindOf(sql)} ${name}`, [sql]] as const,
  ),
  ...Object.values(EVICTION_POLICIES).flatMap(({ index }) =>
    index ? [[`index ${index.name}`, [index.sql]] as const] : [],
  ),
  ['index Cache_tag_rowid', [TAG_INDEX]],
])

/** The indexes that released versions of DiskCache create without a condition. */
const FULL_INDEXES = new Set(['Cache_expire_time', 'Cache_tag_rowid'])

const GUARDED = new Set(['cache', 'settings', 'entrytag', 'unlinklater', 'lease', 'fence', 'freshness'])

/**
 * Indexes of plain columns, which custom policies of Python may add. Expressions are refused: one could run for
 * seconds. Matched after `normalise`, which knows one kind of quotes.
 */
const PLAIN_INDEX = /^create(unique)?index'?\w+'?on'?cache'?\(\w+(asc|desc)?(,\w+(asc|desc)?)*\)(where\w+isnotnull)?$/

/** Names of the side tables and the tag index that exist now. Other processes may have created them. */
export function namesInSchema(db: Connection): ReadonlySet<string> {
  return new Set(db.prepare<[], string>('SELECT name FROM sqlite_master').pluck().all())
}

/**
 * Reads the schema of a database, without executing any of it.
 *
 * @throws SchemaError when an object is of another type, or has a definition that no version of DiskCache writes
 */
export function inspectSchema(db: Connection, directory: string): SchemaState {
  const rows = db.prepare<[], SchemaRow>('SELECT type, name, tbl_name, sql FROM sqlite_master').all()
  const found = new Set<string>()
  let foreignTriggers = false
  for (const row of rows) {
    if (row.sql === null) continue
    const guarded = GUARDED.has(row.tbl_name.toLowerCase()) || GUARDED.has(row.name.toLowerCase())
    if (!guarded) continue
    if (!isKnown(row)) throw new SchemaError(directory, `${row.type} ${row.name} on ${row.tbl_name} is not its own`)
    found.add(row.name)
    if (row.type === 'trigger' && row.sql.includes('"')) foreignTriggers = true
  }
  const required = ['Settings', 'Cache', ...Object.keys(INDEXES), ...Object.keys(TRIGGERS)]
  return {
    empty: rows.length === 0,
    incomplete: required.some(name => !found.has(name)),
    foreignTriggers,
    tagIndex: found.has('Cache_tag_rowid'),
    entryTags: Object.keys(ENTRY_TAG).every(name => found.has(name)),
    unlinkLater: found.has('UnlinkLater'),
    leases: Object.keys(LEASES).every(name => found.has(name)),
    freshness: Object.keys(FRESHNESS).every(name => found.has(name)),
    indexes: found,
  }
}

function isKnown(row: SchemaRow): boolean {
  const text = normalise(row.sql ?? '')
  const known = OURS.get(`${row.type} ${row.name}`)
  if (known?.some(sql => normalise(sql) === text)) return true
  if (row.type !== 'index') return false
  if (FULL_INDEXES.has(row.name) && known?.some(sql => normalise(sql).replace(/where.*$/, '') === text)) return true
  return known === undefined && PLAIN_INDEX.test(text)
}

/**
 * Removes the allowed differences between DiskCache's versions and ours: spaces, case, IF NOT EXISTS, kind of quotes.
 */
function normalise(sql: string): string {
  return sql
    .toLowerCase()
    .replace(/if not exists/g, '')
    .replace(/"/g, "'")
    .replace(/[\s;]+/g, '')
}

function kindOf(sql: string): string {
  return /^CREATE (?:UNIQUE )?(\w+)/.exec(sql)?.[1]?.toLowerCase() ?? ''
}

function entries(kind: string, statements: Readonly<Record<string, string>>): [string, readonly string[]][] {
  return Object.entries(statements).map(([name, sql]) => [`${kind} ${name}`, [sql]])
}

function triggers(name: string): string[] {
  return [TRIGGERS, PYTHON_TRIGGERS].map(known => known[name] ?? '')
}
