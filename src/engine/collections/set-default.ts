import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import { entryOf, type NewEntry } from '../operations/entries.js'
import { add } from '../operations/items.js'
import type { Storing } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { copyOf } from '../verbs/copying.js'
import { isThere, miss, noteFound, readValue } from '../verbs/reading.js'
import { type EncodedCall, storeEncoded } from '../verbs/storing.js'
import { type Looked, lookAt, lookedValue } from '../verbs/taking.js'
import { shardOf } from './collection-cache.js'

/** Returns the stored value, or stores the default: in one write, in the order of the calls of this process. */
export async function storeDefault<V>(handle: CacheHandle, encoded: EncodedCall, options: Storing): Promise<V> {
  const shard = shardOf(handle)
  const { encodedKey } = encoded
  // Reading an entry that nobody is about to change needs no lock.
  if (handle.options.readonly || isQuiet(shard, encodedKey)) {
    const known = await handle.read(shard, encodedKey, options, () => readValue(shard, encodedKey), encoded.key)
    if (known !== undefined) return known as V
  }
  for (;;) {
    let looked: Looked | undefined
    const operation = (session: Session, entry: NewEntry): boolean => {
      const stored = add(session, entry)
      const row = entryOf(session, entry.key)
      looked = row && lookAt(shard, session, row)
      session.afterCommit(() => {
        if (stored) miss(shard, session, entry.key)
        else if (row) noteFound(shard, session, entry.key, row[0], row[5])
      })
      return stored
    }
    const stored = await storeEncoded(handle, encoded, options, { operation, ordered: true })
    const known = looked && (await lookedValue(shard, looked))
    if (known) return known.value as V
    // Another process has removed or replaced it since. Storing it again would give it to two.
    if (stored && encoded.encodedValue) return copyOf(handle.options.codec, encoded.value as V)
  }
}

function isQuiet(shard: Shard, key: EncodedKey): boolean {
  try {
    return shard.writer.pending.empty && isThere(shard, key)
  } catch {
    // Whatever the error is, the write meets it too, and waits or throws.
    return false
  }
}
