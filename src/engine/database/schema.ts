/**
 * The on-disk format of Python's DiskCache, statement by statement, and the side tables, which Python never reads. The
 * triggers use single quotes: better-sqlite3 is built without double-quoted string literals, and Python's
 * `CREATE TRIGGER IF NOT EXISTS` leaves a trigger of the same name alone.
 */
export const SETTINGS_TABLE = `CREATE TABLE IF NOT EXISTS Settings (
  key TEXT NOT NULL UNIQUE,
  value)`

export const CACHE_TABLE = `CREATE TABLE IF NOT EXISTS Cache (
  rowid INTEGER PRIMARY KEY,
  key BLOB,
  raw INTEGER,
  store_time REAL,
  expire_time REAL,
  access_time REAL,
  access_count INTEGER DEFAULT 0,
  tag BLOB,
  size INTEGER DEFAULT 0,
  mode INTEGER DEFAULT 0,
  filename TEXT,
  value BLOB)`

export const INDEXES: Readonly<Record<string, string>> = {
  Cache_key_raw: 'CREATE UNIQUE INDEX IF NOT EXISTS Cache_key_raw ON Cache(key, raw)',
  Cache_expire_time:
    'CREATE INDEX IF NOT EXISTS Cache_expire_time ON Cache (expire_time) WHERE expire_time IS NOT NULL',
}

export const TAG_INDEX = 'CREATE INDEX IF NOT EXISTS Cache_tag_rowid ON Cache(tag, rowid) WHERE tag IS NOT NULL'

/**
 * DiskCache's triggers with conditions. Most values lie in the database and have size 0, so that most writes need not
 * change the row of `size`, which saves a statement and a page for each commit.
 */
export const TRIGGERS: Readonly<Record<string, string>> = {
  Settings_count_insert: `CREATE TRIGGER IF NOT EXISTS Settings_count_insert
  AFTER INSERT ON Cache FOR EACH ROW BEGIN
    UPDATE Settings SET value = value + 1 WHERE key = 'count';
  END`,
  Settings_count_delete: `CREATE TRIGGER IF NOT EXISTS Settings_count_delete
  AFTER DELETE ON Cache FOR EACH ROW BEGIN
    UPDATE Settings SET value = value - 1 WHERE key = 'count';
  END`,
  Settings_size_insert: `CREATE TRIGGER IF NOT EXISTS Settings_size_insert
  AFTER INSERT ON Cache FOR EACH ROW WHEN NEW.size <> 0 BEGIN
    UPDATE Settings SET value = value + NEW.size WHERE key = 'size';
  END`,
  Settings_size_update: `CREATE TRIGGER IF NOT EXISTS Settings_size_update
  AFTER UPDATE OF size ON Cache FOR EACH ROW WHEN NEW.size <> OLD.size BEGIN
    UPDATE Settings SET value = value + NEW.size - OLD.size WHERE key = 'size';
  END`,
  Settings_size_delete: `CREATE TRIGGER IF NOT EXISTS Settings_size_delete
  AFTER DELETE ON Cache FOR EACH ROW WHEN OLD.size <> 0 BEGIN
    UPDATE Settings SET value = value - OLD.size WHERE key = 'size';
  END`,
}

/** DiskCache's own triggers, except for the quotes. They are accepted in a directory that Python created. */
export const PYTHON_TRIGGERS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(TRIGGERS).map(([name, sql]) => [name, sql.replace(/ OF size| WHEN .* <> \S+/g, '')]),
)

/**
 * Further tags of an entry, created on first use. Triggers remove them on deletes and overwrites, also those of Python.
 * Only an overwrite sets `filename`, so that touching and counting keep the tags.
 */
export const ENTRY_TAG: Readonly<Record<string, string>> = {
  EntryTag: 'CREATE TABLE IF NOT EXISTS EntryTag (rowid INTEGER NOT NULL, tag TEXT NOT NULL)',
  EntryTag_tag: 'CREATE UNIQUE INDEX IF NOT EXISTS EntryTag_tag ON EntryTag (tag, rowid)',
  EntryTag_rowid: 'CREATE INDEX IF NOT EXISTS EntryTag_rowid ON EntryTag (rowid)',
  EntryTag_delete: `CREATE TRIGGER IF NOT EXISTS EntryTag_delete
  AFTER DELETE ON Cache FOR EACH ROW BEGIN
    DELETE FROM EntryTag WHERE rowid = OLD.rowid;
  END`,
  EntryTag_update: `CREATE TRIGGER IF NOT EXISTS EntryTag_update
  AFTER UPDATE OF filename ON Cache FOR EACH ROW BEGIN
    DELETE FROM EntryTag WHERE rowid = OLD.rowid;
  END`,
}

/** Value files in grace: no row names them, and they stay readable until `due`. Created on first use. */
export const UNLINK_LATER: Readonly<Record<string, string>> = {
  UnlinkLater:
    'CREATE TABLE IF NOT EXISTS UnlinkLater (filename TEXT PRIMARY KEY, size INTEGER NOT NULL, due REAL NOT NULL)',
}

/**
 * Leases: exclusive rights over all processes until `due`. They are not rows of Cache, so that counting, listing,
 * clearing and evicting entries do not affect them. `Fence` has one row, a number no less than all fencing numbers that
 * were assigned.
 */
export const LEASES: Readonly<Record<string, string>> = {
  Lease:
    'CREATE TABLE IF NOT EXISTS Lease (name TEXT PRIMARY KEY, token TEXT NOT NULL, due REAL NOT NULL, fence INTEGER NOT NULL)',
  Lease_due: 'CREATE INDEX IF NOT EXISTS Lease_due ON Lease (due)',
  Fence: 'CREATE TABLE IF NOT EXISTS Fence (id INTEGER PRIMARY KEY, number INTEGER NOT NULL)',
}

/**
 * Facts about computed entries: until when they are fresh, and how many seconds the computation took. A row applies to
 * the version of the entry with its store time and expiry, so that an overwrite or a touch, also by Python, ends it.
 */
export const FRESHNESS: Readonly<Record<string, string>> = {
  Freshness:
    'CREATE TABLE IF NOT EXISTS Freshness (rowid INTEGER PRIMARY KEY, store_time REAL NOT NULL, expire_time REAL, due REAL, seconds REAL NOT NULL)',
  Freshness_delete: `CREATE TRIGGER IF NOT EXISTS Freshness_delete
  AFTER DELETE ON Cache FOR EACH ROW BEGIN
    DELETE FROM Freshness WHERE rowid = OLD.rowid;
  END`,
}
