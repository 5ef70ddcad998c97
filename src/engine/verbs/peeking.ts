import type { CacheHandle } from '../cache-handle.js'
import type { StateRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import type { Item, Key, Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { readEntryRow, sessionOf, toInfo } from './reading.js'

/** How often a missing file is looked up again, under the name that its row has by then. */
const TRIES = 4

/** Reads a live entry with its value, without noting the access or counting a hit or miss. */
export function peekItem(
  handle: CacheHandle,
  encoded: EncodedKey,
  options: Waiting | undefined,
  key: Key,
): Promise<Item<unknown> | undefined> {
  const shard = handle.route(encoded)
  return handle.read(shard, encoded, options, () => peek(shard, encoded), key)
}

async function peek(shard: Shard, { data, raw }: EncodedKey): Promise<Item<unknown> | undefined> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const state = sessionOf(shard).statements.get<StateRow>('state', data, raw ? 1 : 0)
    const found = state && (await readEntryRow(shard, state[0], shard.disk.now()))
    if (found) return { ...toInfo(sessionOf(shard), found.row), value: found.value }
    // Only a file may just have been replaced. A value in the database needs no second look.
    if (!state || state[1] === null) return undefined
  }
  return undefined
}
