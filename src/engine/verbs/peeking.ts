import type { CacheHandle } from '../cache-handle.js'
import type { StateRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import type { Item, Key, Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { readEntryRow, sessionOf, toInfo } from './reading.js'

/** How often a file that is gone is looked for again under the name that its row has then. */
const TRIES = 4

/** The live entry of a key with its value, as if nobody had looked: neither its access nor a hit or miss is noted. */
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
    // A value in the database is there or not; a file may just have been replaced.
    if (!state || state[1] === null) return undefined
  }
  return undefined
}
