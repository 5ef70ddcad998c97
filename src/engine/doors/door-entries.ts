import type { Session } from '../database/session.js'
import type { EncodedKey, SqlValue } from '../disk/codec.js'
import type { PreparedValue } from '../disk/disk.js'
import { MODE_BINARY, MODE_RAW } from '../disk/modes.js'
import type { PendingFile } from '../disk/value-files.js'
import { entryOf, isLive, versionOf } from '../operations/entries.js'
import { remove, set, touch } from '../operations/items.js'
import type { Shard } from '../shards/shard.js'
import { toMilliseconds, toSeconds } from '../time.js'
import { miss, noteFound, noteUse, sessionOf } from '../verbs/reading.js'
import type { GrowingFile } from './growing-file.js'

/** Bytes under a key: in the database, or in a file with metadata. */
export interface Sighting {
  /** The bytes of an entry in the database. */
  readonly bytes?: Buffer
  /** JSON text of the metadata of a file. */
  readonly meta?: string
  /** Bytes of the file. */
  readonly size: number
  readonly version: string
  /** What marks of its use go by. */
  readonly rowid: number
  readonly accessTime: number
}

/** What a door writes: bytes into the database, a file that it has written, or new metadata of a file that is there. */
export type DoorValue =
  | { readonly bytes: Buffer }
  | { readonly file: GrowingFile; readonly meta: string }
  | { readonly meta: string; readonly version: string }

/** An entry to be written. `ttl` is milliseconds from now. */
export interface DoorEntry {
  readonly value: DoorValue
  readonly ttl: number
  readonly tags: readonly string[]
}

/** What becomes of an entry: nothing, removal, other bytes, or other metadata. */
export type Edit = undefined | 'remove' | { readonly bytes: Buffer } | { readonly meta: string }

/** The live entry of a key, as raw as a door needs it. That it was looked at is {@link noteSighting}. */
export function sight(shard: Shard, encoded: EncodedKey): Sighting | undefined {
  const session = sessionOf(shard)
  const row = entryOf(session, encoded)
  if (!row || !isLive(row[4], shard.disk.now())) return undefined
  const [rowid, , , storeTime, expireTime, accessTime, , , size, mode, filename, value] = row
  const seen = { size, version: versionOf(rowid, storeTime, expireTime), rowid, accessTime }
  if (filename === null) return mode === MODE_RAW && Buffer.isBuffer(value) ? { bytes: value, ...seen } : undefined
  return typeof value === 'string' ? { meta: value, ...seen } : undefined
}

/** What a sighting was for: it is the answer to who asked, or leads to where that would be. */
export type Role = 'answer' | 'guide'

/** Notes that an entry was used, or, without one, that what was asked for is not there. */
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

/** New bytes for an entry in the database, which keeps its expiry and its tags. */
function rewrite(session: Session, encoded: EncodedKey, bytes: Buffer): void {
  const row = entryOf(session, encoded)
  if (row) session.statements.run('touchMeta', bytes, row[0])
}

/** Writes an entry in an open transaction. False: a file that was to be renewed is another version. */
export function write(session: Session, key: EncodedKey, entry: DoorEntry, file: PendingFile | undefined): boolean {
  const now = session.disk.now()
  const expireTime = entry.ttl === Number.POSITIVE_INFINITY ? null : toSeconds(toMilliseconds(now) + entry.ttl)
  const { value, tags } = entry
  if ('version' in value) {
    return touch(session, key, { meta: value.meta, expireTime, ifVersion: value.version }, now)
  }
  return set(session, { key, value: prepared(value, file), now, expireTime, tag: null, tags })
}

function prepared(value: Exclude<DoorValue, { version: string }>, file: PendingFile | undefined): PreparedValue {
  if ('bytes' in value) {
    return { mode: MODE_RAW, value: value.bytes as SqlValue, size: 0, weight: value.bytes.byteLength }
  }
  return { mode: MODE_BINARY, value: value.meta, size: file?.size ?? 0, weight: 0, ...(file && { file }) }
}
