import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { ValueRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { MODE_RAW } from '../disk/modes.js'
import type { Shard } from '../shards/shard.js'
import { noteFound, noteUse } from '../verbs/reading.js'
import type { Role } from './door-entries.js'

/** Bytes of an entry, as they were read in this turn of the loop. */
export interface Glimpse {
  /** Not to be changed. */
  readonly bytes: Buffer
  /** What its reader has made of it, for who reads it again within the turn. */
  made?: unknown
}

/** A row that holds bytes, as it was read. */
interface Glance extends Glimpse {
  readonly shard: Shard
  readonly encoded: EncodedKey
  readonly session: Session
  readonly commits: number
  readonly rowid: number
  readonly accessTime: number
}

/**
 * Reads at once what can be had at once. Requests that come together for one key ask the database once: what was read
 * in this turn of the loop holds until this process commits, or the turn ends. Whoever is answered in it had asked when it began.
 */
export class Glances {
  readonly #handle: CacheHandle
  readonly #seen = new Map<string, Glance>()

  constructor(handle: CacheHandle) {
    this.#handle = handle
  }

  /** A live entry in the database; `undefined` when there is none, or it takes longer. */
  read(key: string): Glimpse | undefined {
    return this.#known(key) ?? this.#look(key)
  }

  /** Notes that what was read at a key has been used. */
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
      // A log under recovery, or a damaged database: the careful way finds out.
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
