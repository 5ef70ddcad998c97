import type { Session } from '../database/session.js'
import type { EntryRow, ItemRow } from '../database/statements.js'
import { turnIsFree } from '../disk/file-turns.js'
import { removeFile, type Taken } from '../operations/entries.js'
import type { Item } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { itemOf, toInfo } from './reading.js'

/** Reads the value of a removed row. Resolves to `undefined` when its file was missing. */
export type TakenValue = () => Promise<{ readonly value: unknown } | undefined>

/** The `Info` of a removed row, and a function that reads its value. */
export interface TakenItem {
  readonly info: ReturnType<typeof toInfo>
  readonly value: TakenValue
}

/** Prepares the item of a row that an operation has removed. */
export function takeOut(shard: Shard, session: Session, taken: Taken | undefined): TakenItem | undefined {
  if (!taken) return undefined
  const { row, tags } = taken
  const [rowid, , , storeTime, expireTime, , , , size, mode, filename, data] = row
  const value = takeOutValue(shard, session, [rowid, expireTime, size, mode, filename, data, storeTime])
  return { info: toInfo(session, row, tags), value }
}

/**
 * Prepares the value of a removed row. Its file is opened before the commit, since afterwards a check that repairs may
 * take it for one that belongs to nobody, and is removed when it was read. Where too many files are open, it is opened
 * in its turn.
 */
export function takeOutValue(shard: Shard, session: Session, row: ItemRow): TakenValue {
  const [, , size, mode, filename, data] = row
  if (filename === null) return async () => ({ value: shard.disk.decode(mode, data) })
  const inGrace = session.settings.unlinkGrace > 0
  const ahead = turnIsFree() ? shard.disk.files.openAndRead(filename, size) : undefined
  ahead?.catch(() => undefined)
  if (inGrace) removeFile(session, filename, size)
  return async () => {
    const bytes = await readFile(shard, filename, size, ahead)
    if (!inGrace) await shard.disk.files.remove(filename)
    return bytes && { value: shard.disk.decode(mode, bytes) }
  }
}

/** Reads the bytes of a file without retries, unless they are being read. Failures become errors of the cache. */
export async function readFile(
  shard: Shard,
  filename: string,
  size: number,
  ahead?: Promise<Buffer | undefined>,
): Promise<Buffer | undefined> {
  try {
    return await (ahead ?? shard.disk.files.read(filename, size))
  } catch (error) {
    throw shard.translate(error)
  }
}

/** Resolves to the item, or to `undefined` when its file was missing. */
export async function toItem<T>(taken: TakenItem | undefined): Promise<Item<T> | undefined> {
  const found = await taken?.value()
  return taken && found && itemOf<T>(taken.info, found.value)
}

/** A row that was read in a transaction and stays. */
export interface Looked {
  readonly row: EntryRow
  /** The bytes of its file, set at the commit. */
  readonly file: { bytes?: Promise<Buffer | undefined> }
}

/** Reads a row. Its file is opened at the commit, before a later write can remove it. */
export function lookAt(shard: Shard, session: Session, row: EntryRow): Looked {
  const [, , , , , , , , size, , filename] = row
  const file: Looked['file'] = {}
  if (filename !== null) {
    session.afterCommit(() => {
      file.bytes = readFile(shard, filename, size)
      file.bytes.catch(() => undefined)
    })
  }
  return { row, file }
}

/** The value of a row. `undefined` when its file is missing; the row is then removed with the next write. */
export async function lookedValue(
  shard: Shard,
  { row, file }: Looked,
): Promise<{ readonly value: unknown } | undefined> {
  const [rowid, , , , , , , , , mode, filename, data] = row
  if (filename === null) return { value: shard.disk.decode(mode, data) }
  const bytes = await file.bytes
  if (bytes) return { value: shard.disk.decode(mode, bytes) }
  shard.noteDamaged(rowid, filename)
  return undefined
}
