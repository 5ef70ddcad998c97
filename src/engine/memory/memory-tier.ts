import { isDeepStrictEqual } from 'node:util'
import type { VersionedValueRow } from '../database/statements.js'
import type { EncodedKey } from '../disk/codec.js'
import { encodeKey, type KeyIdentity, keyIdentity, lastingIdentity, ownText } from '../disk/keys.js'
import { isLarge } from '../operations/entries.js'
import type { MemoryStats } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { setImmediate } from '../timers.js'
import {
  type Keeping,
  type KeptValue,
  NOTHING_KEPT,
  ownBytes,
  type ReadValue,
  readKept,
  textBytes,
  valueFor,
} from './kept-value.js'
import { LruMap } from './lru-map.js'
import { isYoung, type LoadedRow, MemoryEntry } from './memory-entry.js'
import type { ResolvedMemory } from './memory-options.js'
import { ShardMemory } from './shard-memory.js'

/** Bytes of an entry with its place in the Map, as measured, without its key and value. */
const ENTRY_BYTES = 320
/** An entry may take up to one part in this many of the memory. Larger entries are read from disk. */
const ENTRY_SHARE = 16
/** A miss is remembered when the key is missed again within this many keys that were missed once. */
const MISSED_ONCE = 512
const MISSED_KEY_LENGTH = 128

/** Counts from before the figures were reset. */
export type PastFigures = Record<'hits' | 'misses' | 'evictions', number>

/**
 * Keeps values in memory in front of the shards of one engine. Every value it returns was compared with the database,
 * or read from it, in this turn of the event loop.
 */
export class MemoryTier {
  readonly options: ResolvedMemory
  readonly #entries: LruMap<KeyIdentity, MemoryEntry>
  /** Entries by string key, under a codec that stores strings in another form. */
  readonly #aliases: Map<string, MemoryEntry> | undefined
  readonly #keeping: Keeping
  readonly #missedOnce = new Set<KeyIdentity>()
  readonly #past: PastFigures
  /** Shards that were read in this turn and may have shown a newer state. */
  #suspects: ShardMemory[] = []
  /** Counts the turns of the loop and all else that requires asking all shards again. */
  turn = 0
  #turnEnds = false
  hits = 0
  misses = 0
  /** Whether the last entry returned was the kept one and not read anew. */
  wasHit = false

  constructor(options: ResolvedMemory, shards: readonly Shard[], past: PastFigures) {
    this.options = options
    this.#past = past
    this.#keeping = { frozen: options.mode === 'frozen', most: options.maxBytes / ENTRY_SHARE }
    const aliases = shards[0]?.options.codec.encodeKey === encodeKey ? undefined : new Map<string, MemoryEntry>()
    this.#aliases = aliases
    this.#entries = new LruMap(options.maxItems, options.maxBytes, ({ alias }) => {
      if (alias !== undefined) aliases?.delete(alias)
    })
    for (const shard of shards) shard.memory = new ShardMemory(this, shard)
  }

  get figures(): MemoryStats {
    const { hits, misses } = this
    const { evictions, count, bytes } = this.#entries
    return { hits, misses, evictions, count, bytes }
  }

  resetFigures(): void {
    this.#past.hits += this.hits
    this.#past.misses += this.misses
    this.#past.evictions += this.#entries.evictions
    this.hits = 0
    this.misses = 0
    this.#entries.evictions = 0
  }

  /** The current entry of a string key, found without encoding the key. */
  findText(key: string): MemoryEntry | undefined {
    const entry = this.#aliases ? this.#aliases.get(key) : this.#entries.peek(key)
    // Identities of other keys are strings that no key of a user equals: see keyIdentity.
    if (entry === undefined || (!entry.isText && this.#aliases === undefined)) return undefined
    return this.#answer(entry)
  }

  /** The current entry of a key, counted as a hit. `undefined`: the caller reads the database. */
  find(shard: Shard, key: EncodedKey): MemoryEntry | undefined {
    const entry = this.#entries.peek(keyIdentity(key))
    // 0 and -0 have the same identity but lie in different shards of a FanoutCache.
    return entry && entry.shard.shard === shard ? this.#answer(entry) : undefined
  }

  /** The value of an entry for a further reader. */
  valueOf(entry: MemoryEntry): unknown {
    return valueFor(entry.shard.shard.disk, entry)
  }

  /** Decodes a row: for the caller, in the form of the memory mode, and for `keep`. */
  read(shard: Shard, mode: number, data: Parameters<typeof readKept>[2]): ReadValue {
    return readKept(shard.disk, mode, data, this.#keeping)
  }

  /**
   * Keeps the entry of a key that was read from the database in this synchronous step.
   *
   * @param text the key, if it is a string
   */
  keep(shard: Shard, key: EncodedKey, text: string | undefined, row: LoadedRow, kept: KeptValue): void {
    this.#put(shard, key, text, row, kept)
  }

  /** Remembers that a key has no entry, if it was missed before. */
  keepMiss(shard: Shard, key: EncodedKey, text: string | undefined): void {
    const identity = keyIdentity(key)
    if (this.#missedOnce.delete(identity)) {
      this.#put(shard, key, text, undefined, NOTHING_KEPT)
      return
    }
    this.#drop(identity, shard)
    if (typeof identity === 'string' && identity.length > MISSED_KEY_LENGTH) return
    if (this.#missedOnce.size >= MISSED_ONCE) this.#missedOnce.clear()
    this.#missedOnce.add(lastingIdentity(key))
  }

  /** Forgets the entry of a key that was written. */
  forget(identity: KeyIdentity, memory: ShardMemory): void {
    const entry = this.#entries.peek(identity)
    if (entry?.shard === memory) this.#entries.delete(entry)
  }

  /** Replaces an entry by a row that was read anew. `undefined` when the row cannot be kept. */
  renew(entry: MemoryEntry, row: VersionedValueRow): MemoryEntry | undefined {
    const { shard } = entry.shard
    const [mode, filename, value, rowid, accessTime, storeTime, expireTime] = row
    if (filename !== null || isLarge(value)) return undefined
    const { kept } = this.read(shard, mode, value)
    const key = { data: entry.data, raw: entry.raw === 1 }
    return this.#put(shard, key, entry.alias, { rowid, accessTime, storeTime, expireTime }, kept)
  }

  /** Whether a row with the version of an entry has its value as well. */
  hasValue(entry: MemoryEntry, [mode, filename, data]: VersionedValueRow): boolean {
    const { disk } = entry.shard.shard
    return filename === null && isDeepStrictEqual(valueFor(disk, entry), disk.decode(mode, data))
  }

  drop(entry: MemoryEntry): void {
    this.#entries.delete(entry)
  }

  clear(): void {
    this.#entries.clear()
    this.#aliases?.clear()
    this.#missedOnce.clear()
  }

  /** Begins a turn of the loop, which ends in its check phase, and returns its number. */
  beginTurn(): number {
    if (!this.#turnEnds) {
      this.#turnEnds = true
      // Not unref'ed: the loop would then wait for events, which belong to a later turn, before its check phase.
      setImmediate(this.#endTurn)
    }
    return this.turn
  }

  /**
   * Called when a shard shows a newer state. Writes that finished before it, in whatever shard, must be visible from
   * now on, so that a reader who sees the second of two writes sees the first.
   */
  sawNewer(): void {
    this.turn++
  }

  suspect(memory: ShardMemory): void {
    if (!this.#suspects.includes(memory)) this.#suspects.push(memory)
  }

  askSuspects(): void {
    if (this.#suspects.length === 0) return
    const suspects = this.#suspects
    this.#suspects = []
    for (const memory of suspects) if (!memory.ask()) this.sawNewer()
  }

  readonly #endTurn = (): void => {
    this.turn++
    this.#turnEnds = false
    this.#suspects.length = 0
  }

  #answer(entry: MemoryEntry): MemoryEntry | undefined {
    const present = entry.shard.confirmed(entry)
    if (present === undefined) return undefined
    const { shard } = present.shard
    if (present.until !== Number.POSITIVE_INFINITY) {
      if (present.until <= shard.disk.now()) {
        this.drop(present)
        return undefined
      }
      if (this.options.sliding) present.until = this.#until(shard, present.expireTime)
    }
    this.#entries.use(present)
    this.wasHit = present === entry
    if (this.wasHit) this.hits++
    else this.misses++
    return present
  }

  #put(
    shard: Shard,
    key: EncodedKey,
    text: string | undefined,
    row: LoadedRow | undefined,
    kept: KeptValue,
  ): MemoryEntry | undefined {
    const { memory } = shard
    if (!memory) return undefined
    const own = ownKey(key)
    const identity = typeof own.data === 'string' && own.raw ? own.data : keyIdentity(own)
    const alias = this.#aliases && text !== undefined ? ownText(text) : undefined
    const bytes = ENTRY_BYTES + keyBytes(own, identity) + (alias === undefined ? 0 : textBytes(alias) + 64) + kept.bytes
    if (bytes > this.#keeping.most) {
      this.#drop(identity, shard)
      return undefined
    }
    const raw = own.raw ? 1 : 0
    const until = this.#until(shard, row?.expireTime ?? null)
    const { mode, value } = kept
    const entry = new MemoryEntry({
      shard: memory,
      key: identity,
      alias,
      data: own.data,
      raw,
      row,
      mode,
      value,
      bytes,
      until,
      isYoung: row !== undefined && isYoung(row.storeTime, shard.disk.now()),
    })
    this.#entries.put(entry)
    if (alias !== undefined) this.#aliases?.set(alias, entry)
    return entry
  }

  #drop(identity: KeyIdentity, shard: Shard): void {
    if (shard.memory) this.forget(identity, shard.memory)
  }

  #until(shard: Shard, expireTime: number | null): number {
    const { ttl } = this.options
    const end = expireTime ?? Number.POSITIVE_INFINITY
    return ttl === Number.POSITIVE_INFINITY ? end : Math.min(end, shard.disk.now() + ttl)
  }
}

/** Copies a key, since a slice of a long string or a large buffer would keep all of it alive. */
function ownKey({ data, raw }: EncodedKey): EncodedKey {
  if (typeof data === 'string') return { data: ownText(data), raw }
  return { data: Buffer.isBuffer(data) ? ownBytes(data) : data, raw }
}

function keyBytes({ data }: EncodedKey, identity: KeyIdentity): number {
  const text = typeof identity === 'string' ? textBytes(identity) : 16
  return Buffer.isBuffer(data) ? text + 288 + data.byteLength : text
}
