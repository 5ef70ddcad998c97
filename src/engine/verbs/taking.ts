import type { Session } from '../database/session.js'
import type { EntryRow, ItemRow } from '../database/statements.js'
import { removeFile, type Taken } from '../operations/entries.js'
import type { Item } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { toInfo } from './reading.js'

/** How the value of a row that was taken out is to be had; `undefined` when its file was missing. */
export type TakenValue = () => Promise<{ readonly value: unknown } | undefined>

/** A row that was taken out of the database, and how its value is to be had. */
export interface TakenItem {
  readonly info: ReturnType<typeof toInfo>
  readonly value: TakenValue
}

/** Prepares what is known of a row that an operation has taken out, and its value. */
export function takeOut(shard: Shard, session: Session, taken: Taken | undefined): TakenItem | undefined {
  if (!taken) return undefined
  const { row, tags } = taken
  const [rowid, , , , expireTime, , , , size, mode, filename, data] = row
  const value = takeOutValue(shard, session, [rowid, expireTime, size, mode, filename, data])
  return { info: toInfo(session, row, tags), value }
}

/** Prepares its value. A file is read after the commit, and removed when it was read: nobody else can reach it any more. */
export function takeOutValue(shard: Shard, session: Session, row: ItemRow): TakenValue {
  const [, , size, mode, filename, data] = row
  if (filename === null) return async () => ({ value: shard.disk.decode(mode, data) })
  const inGrace = session.settings.unlinkGrace > 0
  if (inGrace) removeFile(session, filename, size)
  return async () => {
    const bytes = await readFile(shard, filename, size)
    if (!inGrace) await shard.disk.files.remove(filename)
    return bytes && { value: shard.disk.decode(mode, bytes) }
  }
}

/** The bytes of a file outside of any retry; what fails is told as an error of the cache. */
export async function readFile(shard: Shard, filename: string, size: number): Promise<Buffer | undefined> {
  try {
    return await shard.disk.files.read(filename, size)
  } catch (error) {
    throw shard.translate(error)
  }
}

/** The item, or `undefined` when its file was missing. */
export async function toItem<T>(taken: TakenItem | undefined): Promise<Item<T> | undefined> {
  const found = await taken?.value()
  return taken && found && { ...taken.info, value: found.value as T }
}

/** A row that was looked at in a transaction, and stays. */
export interface Looked {
  readonly row: EntryRow
  /** Of its file, from the commit on. */
  readonly file: { bytes?: Promise<Buffer | undefined> }
}

/** Looks at a row. Its file is about to be read before a write that was called later removes it. */
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

/** The value of a row, or `undefined` when its file is missing: then the row goes with the next write. */
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
