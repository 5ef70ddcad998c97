import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { EntryRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { keyIdentity } from '../disk/keys.js'
import { groupBy } from '../newer-node.js'
import { entryOf, isLive } from '../operations/entries.js'
import type { Info, Item, Key, Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { FILE_TRIES, itemOf, sessionOf, toInfo, withItsTags } from './reading.js'

/** A live row as it was read, and the info of its entry. */
interface Peeked {
  readonly row: EntryRow
  readonly info: Info
}

type Found = Item<unknown> | undefined

/** Reads a live entry with its value, without noting the access or counting a hit or miss. */
export async function peekItem(
  handle: CacheHandle,
  encoded: EncodedKey,
  options: Waiting | undefined,
  key: Key,
): Promise<Found> {
  const shard = handle.route(encoded)
  return (await handle.read(shard, encoded, options, () => peek(shard, [encoded]), key))?.[0]
}

/**
 * Reads several entries like `peekItem`, in the order of the keys. Those of one shard are read at one moment: of what
 * somebody stores or removes in a transaction, all is seen or nothing.
 */
export async function peekItems(
  handle: CacheHandle,
  keys: readonly EncodedKey[],
  options: Waiting | undefined,
): Promise<Found[]> {
  const places = groupBy(keys.entries(), ([, key]) => handle.route(key))
  const found: Found[] = keys.map(() => undefined)
  const reading = Array.from(places, async ([shard, entries]) => {
    const own = entries.map(([, key]) => key)
    const items = await handle.read(shard, placeOf(shard, own), options, () => peek(shard, own))
    for (const [nth, [at]] of entries.entries()) found[at] = items?.[nth]
  })
  await Promise.all(reading)
  return found
}

/** The key whose writes a read of several has to wait for; `undefined`: those of all. */
function placeOf(shard: Shard, keys: readonly EncodedKey[]): EncodedKey | undefined {
  const { pending } = shard.writer
  const waits = keys.length > 1 && !pending.empty && keys.some(key => pending.has(keyIdentity(key)))
  return waits ? undefined : keys[0]
}

async function peek(shard: Shard, keys: readonly EncodedKey[]): Promise<Found[]> {
  let gone = ''
  for (let attempt = 1; ; attempt++) {
    const session = sessionOf(shard)
    const rows = lookAtAll(session, keys)
    const items = await Promise.all(rows.map(row => row && withValue(session, row)))
    // A value in the database is there or not; a file may just have been replaced, and others with it.
    const missing = rows.filter((row, at) => row !== undefined && items[at] === undefined)
    const names = missing.map(row => row?.row[10]).join()
    if (names === gone || attempt === FILE_TRIES) return items
    gone = names
  }
}

function lookAtAll(session: Session, keys: readonly EncodedKey[]): (Peeked | undefined)[] {
  const lookAt = (): (Peeked | undefined)[] => keys.map(key => look(session, key))
  return keys.length > 1 ? session.atOneMoment(lookAt) : withItsTags(session, lookAt)
}

/** By its key in one statement: a rowid that was looked up before may be another entry's by now. */
function look(session: Session, key: EncodedKey): Peeked | undefined {
  const row = entryOf(session, key)
  return row && isLive(row[4], session.disk.now()) ? { row, info: toInfo(session, row) } : undefined
}

/** An entry with its value. `undefined` when its file is missing. */
export async function withValue({ disk, db }: Session, { row, info }: Peeked): Promise<Found> {
  const [, , , , , , , , size, mode, filename, data] = row
  if (filename === null) return itemOf(info, disk.decode(mode, data))
  // Among writes the file is opened at once: the next of them may replace it.
  const bytes = await disk.files.read(filename, size, { openNow: db.inTransaction })
  return bytes && itemOf(info, disk.decode(mode, bytes))
}
