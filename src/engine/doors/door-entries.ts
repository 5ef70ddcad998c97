import type { Session } from '../database/session.js'
import type { EncodedKey, SqlValue } from '../disk/codec.js'
import type { PreparedValue } from '../disk/disk.js'
import { MODE_BINARY, MODE_RAW } from '../disk/modes.js'
import type { PendingFile } from '../disk/pending-file.js'
import { addMissingTags, entryOf, isLive, versionOf } from '../operations/entries.js'
import { remove, set, touch } from '../operations/items.js'
import type { Shard } from '../shards/shard.js'
import { toMilliseconds, toSeconds } from '../time.js'
import { miss, noteFound, noteUse, sessionOf } from '../verbs/reading.js'
import type { GrowingFile } from './growing-file.js'

/** The raw entry of a key: bytes in the database, or a file with metadata. */
export interface Sighting {
  /** The bytes of an entry in the database. */
  readonly bytes?: Buffer
  /** JSON text of the metadata of a file. */
  readonly meta?: string
  /** Bytes of the file. */
  readonly size: number
  readonly version: string
  /** Identifies the row when its use is noted. */
  readonly rowid: number
  readonly accessTime: number
}

/** The value that a door writes: bytes for the database, a file it has written, or new metadata of an existing file. */
export type DoorValue =
  | { readonly bytes: Buffer }
  | { readonly file: GrowingFile; readonly meta: string }
  | { readonly meta: string; readonly version: string }

/** An entry to be written. `ttl` is in milliseconds from now. */
export interface DoorEntry {
  readonly value: DoorValue
  readonly ttl: number
  readonly tags: readonly string[]
}

/** A change of an entry: none, removal, new bytes, or new metadata. */
export type Edit = undefined | 'remove' | { readonly bytes: Buffer } | { readonly meta: string }

/** Reads the live entry of a key in raw form. {@link noteSighting} counts the read. */
export function sight(shard: Shard, encoded: EncodedKey): Sighting | undefined {
  const session = sessionOf(shard)
  const row = entryOf(session, encoded)
  if (!row || !isLive(row[4], shard.disk.now())) return undefined
  const [rowid, , , storeTime, expireTime, accessTime, , , size, mode, filename, value] = row
  const seen = { size, version: versionOf(rowid, storeTime, expireTime), rowid, accessTime }
  if (filename === null) return mode === MODE_RAW && Buffer.isBuffer(value) ? { bytes: value, ...seen } : undefined
  return typeof value === 'string' ? { meta: value, ...seen } : undefined
}

/** The role of an entry: `answer` is the response itself, `guide` leads to the key of the response. */
export type Role = 'answer' | 'guide'

/** Counts a hit and notes the access of an entry, or counts a miss when there is none. */
export function noteSighting(shard: Shard, encoded: EncodedKey, seen: Sighting | undefined, role: Role): void {
  const session = sessionOf(shard)
  if (!seen) miss(shard, session, encoded)
  else if (role === 'answer') noteFound(shard, session, encoded, seen.rowid, seen.accessTime)
  else noteUse(shard, session, seen.rowid, seen.accessTime)
}

/** Changes an entry in an open transaction. */
export function editOne(
  shard: Shard,
  session: Session,
  encoded: EncodedKey,
  key: string,
  edit: (key: string, current: Sighting) => Edit,
): Edit {
  const current = sight(shard, encoded)
  const change = current && edit(key, current)
  const now = session.disk.now()
  if (change === 'remove') remove(session, encoded, now)
  else if (change && 'meta' in change) touch(session, encoded, { meta: change.meta }, now)
  else if (change) rewrite(session, encoded, change.bytes)
  return change
}

/** Replaces the bytes of an entry in the database and keeps its expiry and tags. */
function rewrite(session: Session, encoded: EncodedKey, bytes: Buffer): void {
  const row = entryOf(session, encoded)
  if (row) session.statements.run('touchMeta', bytes, row[0])
}

/** Writes an entry in an open transaction. Returns `false` when a file to be renewed has another version by now. */
export function write(session: Session, key: EncodedKey, entry: DoorEntry, file: PendingFile | undefined): boolean {
  const now = session.disk.now()
  const expireTime = entry.ttl === Number.POSITIVE_INFINITY ? null : toSeconds(toMilliseconds(now) + entry.ttl)
  const { value, tags } = entry
  if ('version' in value) {
    const isThere = touch(session, key, { meta: value.meta, expireTime, ifVersion: value.version }, now)
    if (isThere) addMissingTags(session, key, tags)
    return isThere
  }
  return set(session, { key, value: prepared(value, file), now, expireTime, tag: null, tags })
}

function prepared(value: Exclude<DoorValue, { version: string }>, file: PendingFile | undefined): PreparedValue {
  if ('bytes' in value) {
    return { mode: MODE_RAW, value: value.bytes as SqlValue, size: 0, weight: value.bytes.byteLength }
  }
  return { mode: MODE_BINARY, value: value.meta, size: file?.size ?? 0, weight: 0, file }
}
