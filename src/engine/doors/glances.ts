import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { ValueRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { MODE_RAW } from '../disk/modes.js'
import type { Shard } from '../shards/shard.js'
import { setImmediate } from '../timers.js'
import { noteFound, noteUse } from '../verbs/reading.js'
import type { Role } from './door-entries.js'

/** The bytes of an entry as read in this turn of the loop. */
export interface Glimpse {
  /** Shared between readers: must not be changed. */
  readonly bytes: Buffer
  /** The decoded form, kept by a reader for further readers of the turn. */
  made?: unknown
}

/** A row with bytes. */
interface Glance extends Glimpse {
  readonly shard: Shard
  readonly encoded: EncodedKey
  readonly session: Session
  readonly commits: number
  readonly rowid: number
  readonly accessTime: number
}

/**
 * Synchronous reads of entries in the database. Concurrent requests for one key share one query: a read is valid until
 * this process commits or the turn of the loop ends. All requests that it serves had arrived when the turn began.
 */
export class Glances {
  readonly #handle: CacheHandle
  readonly #seen = new Map<string, Glance>()

  constructor(handle: CacheHandle) {
    this.#handle = handle
  }

  /** Reads a live entry in the database. `undefined` when there is none, or it cannot be read synchronously. */
  read(key: string): Glimpse | undefined {
    return this.#known(key) ?? this.#look(key)
  }

  /** Counts and notes the use of an entry that was read. */
  note(key: string, role: Role): void {
    const glance = this.#seen.get(key)
    if (!glance) return
    const { shard, session, encoded, rowid, accessTime } = glance
    if (role === 'answer') noteFound(shard, session, encoded, rowid, accessTime)
    else noteUse(shard, session, rowid, accessTime)
  }

  #known(key: string): Glance | undefined {
    const glance = this.#seen.get(key)
    if (!glance) return undefined
    const { shard, session, commits } = glance
    if (session === shard.current && session.commits === commits && shard.writer.pending.empty) return glance
    this.#seen.delete(key)
    return undefined
  }

  #look(key: string): Glance | undefined {
    if (!this.#handle.isOpen) return undefined
    const encoded = this.#handle.encodeKey(key)
    const shard = this.#handle.route(encoded)
    const session = shard.current
    if (!session || !shard.writer.pending.empty) return undefined
    shard.memory?.looked()
    try {
      const row = session.statements.prepare('value').get(encoded.data, encoded.raw ? 1 : 0, shard.disk.now())
      if (!row) return undefined
      const [mode, filename, bytes, rowid = 0, accessTime = 0] = row as ValueRow
      if (mode !== MODE_RAW || filename !== null || !Buffer.isBuffer(bytes)) return undefined
      return this.#keep(key, { shard, encoded, session, commits: session.commits, bytes, rowid, accessTime })
    } catch {
      // A log under recovery or a damaged database. The asynchronous read will find out.
      return undefined
    }
  }

  #keep(key: string, glance: Glance): Glance {
    if (this.#seen.size === 0) setImmediate(this.#forget)
    this.#seen.set(key, glance)
    return glance
  }

  readonly #forget = (): void => this.#seen.clear()
}
