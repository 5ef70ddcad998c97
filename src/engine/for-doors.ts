import type { CacheHandle } from './cache-handle.js'
import type { DiskCache, StoredFile } from './contract.js'
import type { Work } from './database/job.js'
import type { Session } from './database/session.js'
import type { EncodedKey } from './disk/codec.js'
import { keyIdentity } from './disk/keys.js'
import {
  type DoorEntry,
  type Edit,
  noteSighting,
  type Role,
  type Sighting,
  sight,
  write,
} from './doors/door-entries.js'
import { type DoorLease, endLease, isCurrent, takeLease } from './doors/door-lease.js'
import { editEntries, hasTraces, stampAll, supersede } from './doors/door-removal.js'
import { Glances, type Glimpse } from './doors/glances.js'
import { GrowingFile } from './doors/growing-file.js'
import { plainHandle } from './doors/plain-handle.js'
import { within } from './doors/within.js'
import { DiskCacheError } from './errors.js'
import { extendLease, leaseName, leaseOf, releaseLease } from './operations/leases.js'
import { evict, type TagCursor } from './operations/removal.js'
import type { RemovalScope } from './operations/stamps.js'
import type { Key } from './options.js'
import type { Shard } from './shards/shard.js'
import { sessionOf } from './verbs/reading.js'
import { openStoredFile } from './verbs/stored-file.js'
import { removeInPages } from './verbs/upkeep.js'

export type { DoorEntry, Edit, Role, Sighting } from './doors/door-entries.js'
export type { DoorLease } from './doors/door-lease.js'
export type { Glimpse } from './doors/glances.js'
export { GrowingFile } from './doors/growing-file.js'
export { checkOptionNames, checkOptionsObject, kindOf } from './option-names.js'
export { type Duration, milliseconds } from './time.js'
export { startUpkeepOf } from './upkeep/start-upkeep.js'

/**
 * How long a door waits for the database before it does without it, at each of the two steps of a request.
 * Milliseconds.
 */
const PATIENCE = 20
/** Nobody waits for what is stored. Milliseconds. */
const STORING_PATIENCE = 5000

/**
 * What the HTTP doors need of the engine beyond the verbs: raw bytes, leases, and files that can be read while written.
 */
export class DoorStore {
  readonly #handle: CacheHandle
  readonly #glances: Glances
  #opening: Promise<boolean> | undefined

  constructor(cache: DiskCache, user: string) {
    this.#handle = plainHandle(cache, user)
    this.#glances = new Glances(this.#handle)
  }

  /** Epoch milliseconds. */
  now(): number {
    return this.#handle.options.clock.now()
  }

  get isWritable(): boolean {
    return !this.#handle.options.readonly
  }

  /** Tells the listeners of the cache that something failed which nobody else will hear of. */
  tell(error: unknown): void {
    // What was under way when the cache was closed is not worth a word.
    if (!this.#handle.isOpen && error instanceof DiskCacheError && error.refusal === undefined) return
    if (error instanceof DiskCacheError && error.refusal !== undefined) this.#handle.tellRefused(error, [undefined])
    else this.#handle.failed(error instanceof Error ? error : new Error(String(error)))
  }

  /** Whether the cache is open, or can be opened in a moment. Until it is, there is no cache. */
  ready(): true | Promise<boolean> {
    if (this.#handle.isOpen) return true
    this.#opening ??= this.#handle
      .open()
      .then(
        () => true,
        error => {
          this.tell(error)
          return false
        },
      )
      .finally(() => {
        this.#opening = undefined
      })
    return within(this.#opening, 2 * PATIENCE, false)
  }

  /** What an entry in the database has, at once, not counted: one object for all who ask within a turn of the loop. */
  glance(key: string): Glimpse | undefined {
    return this.#glances.read(key)
  }

  /** Counts what was read at a glance, in this turn of the loop. */
  noteGlance(key: string, role: Role): void {
    this.#glances.note(key, role)
  }

  /** The entry of a key. Trouble is no entry. It is not counted: that is {@link note}. */
  async look(key: string): Promise<Sighting | undefined> {
    try {
      const { shard, encoded } = this.#locate(key)
      return await this.#handle.read(shard, encoded, { timeout: PATIENCE }, () => sight(shard, encoded), key)
    } catch (error) {
      this.tell(error)
      return undefined
    }
  }

  /** Counts a look at a key: what was found there and for what, or that nothing was. */
  note(key: string, seen: Sighting | undefined, role: Role = 'answer'): void {
    const { shard, encoded } = this.#locate(key)
    if (shard.current) noteSighting(shard, encoded, seen, role)
  }

  /** Opens the file of an entry that was looked at. */
  async openFile(key: string): Promise<StoredFile | undefined> {
    try {
      const { shard, encoded } = this.#locate(key)
      return await this.#handle.read(
        shard,
        encoded,
        { timeout: PATIENCE },
        () => openStoredFile(shard, encoded, false),
        key,
      )
    } catch (error) {
      this.tell(error)
      return undefined
    }
  }

  /** Values of this size and above go to files. */
  fileSize(key: string): number {
    return this.#handle.isOpen ? this.#locate(key).shard.settings.minFileSize : 0
  }

  /** The largest value that the shard of a key could hold. */
  sizeLimit(key: string): number {
    return this.#handle.isOpen ? this.#locate(key).shard.settings.sizeLimit : 0
  }

  async createFile(key: string): Promise<GrowingFile> {
    const { shard } = this.#locate(key)
    const { temporary, handle } = await shard.disk.files.create()
    return new GrowingFile(shard, temporary, handle)
  }

  /**
   * Takes the lease of what is computed for a key. `subject` is the key, or that of one of its variants. `'held'` while
   * another process has it; `undefined` when the database is not to be had.
   */
  async acquire(key: string, subject: string, token: string, ttl: number): Promise<DoorLease | 'held' | undefined> {
    if (!this.isWritable) return undefined
    const name = leaseName('flight', this.#handle.encodeKey(subject))
    try {
      const { shard } = this.#locate(key)
      const run = (session: Session): number | undefined => takeLease(session, { key, name, token }, ttl)
      const fence = await shard.write({ run, optional: true }, { deadline: performance.now() + PATIENCE })
      return fence === undefined ? 'held' : { key, name, token, fence }
    } catch (error) {
      this.tell(error)
      return undefined
    }
  }

  /** Makes a lease last for `ttl` from now. */
  extend({ key, name, token }: DoorLease, ttl: number): void {
    this.#background(key, { run: session => extendLease(session, name, token, ttl / 1000), optional: true })
  }

  /**
   * As if the key of a lease had just been removed, but for what the lease is for. `undefined`: it was lost, or
   * removed.
   */
  supersede(lease: DoorLease, ttl: number): Promise<DoorLease | undefined> {
    return supersede(this.#locate(lease.key).shard, lease, ttl, performance.now() + STORING_PATIENCE)
  }

  release({ key, name, token }: DoorLease): void {
    this.#background(key, { run: session => releaseLease(session, name, token), optional: true })
  }

  /** Whether what is computed under a lease is still news: it was not taken over, and its key was not removed. */
  isCurrent(lease: DoorLease): boolean {
    try {
      const session = this.#handle.isOpen ? this.#locate(lease.key).shard.current : undefined
      return !session || isCurrent(session, lease, [])
    } catch {
      return true
    }
  }

  /** Whether nobody has the lease of a subject any more. */
  isFree(key: string, subject: string): boolean {
    try {
      const { shard } = this.#locate(key)
      const lease = leaseOf(sessionOf(shard), leaseName('flight', this.#handle.encodeKey(subject)))
      return !lease || lease.due <= shard.disk.now()
    } catch {
      return true
    }
  }

  /**
   * Writes the entry of the key of a lease and ends the lease; nothing is written when the lease was lost, or when
   * something was removed meanwhile that concerns the key or the tags.
   *
   * @param make what is written, from what is there; `undefined`: nothing
   */
  async land(
    lease: DoorLease,
    tags: readonly string[],
    make: (current: Sighting | undefined) => DoorEntry | undefined,
    file?: GrowingFile,
  ): Promise<boolean> {
    const { shard, encoded } = this.#locate(lease.key)
    const pending = file?.take()
    const run = (session: Session): boolean => {
      const isOurs = endLease(session, lease, tags)
      const entry = isOurs && make(sight(shard, encoded))
      const stored = !!entry && write(session, encoded, entry, pending)
      if (!stored && pending) session.afterCommit(() => shard.disk.files.discard(pending))
      return stored
    }
    const discard = pending && (() => shard.disk.files.discard(pending))
    return (await this.#write(shard, { run, identity: keyIdentity(encoded), discard })) ?? false
  }

  /** Writes an entry whatever is there; with a version only over that one. */
  async put(key: string, entry: DoorEntry, version?: string): Promise<boolean> {
    const { shard, encoded } = this.#locate(key)
    const pending = 'file' in entry.value ? entry.value.file.take() : undefined
    const run = (session: Session): boolean => {
      if (version !== undefined && sight(shard, encoded)?.version !== version) return false
      return write(session, encoded, entry, pending)
    }
    const discard = pending && (() => shard.disk.files.discard(pending))
    return (await this.#write(shard, { run, identity: keyIdentity(encoded), discard })) ?? false
  }

  /** Whether there is an entry for a key, or a flight for it or one of its variants, as far as can be seen at once. */
  hasTraces(key: string): boolean {
    return hasTraces(this.#handle, key)
  }

  /** Leaves stamps in all shards, so that nothing older is stored. */
  async stamp(scope: RemovalScope): Promise<void> {
    await stampAll(this.#handle, scope)
  }

  /** Changes entries, those of one shard in one transaction; a stamp rides in it. Answers what `edit` did, by key. */
  edit(
    keys: readonly string[],
    edit: (key: string, current: Sighting) => Edit,
    stamps = false,
  ): Promise<Map<string, Edit>> {
    return editEntries(this.#handle, keys, edit, stamps)
  }

  /** Removes the entries with a tag, of all doors and users. */
  evict(tag: string): Promise<number> {
    return removeInPages<TagCursor>(this.#handle, undefined, (session, cursor) => evict(session, tag, cursor))
  }

  async open(): Promise<void> {
    await this.#handle.open()
    this.#handle.assertWritable()
  }

  /** Called when the cache closes. Answers how to take that back. */
  onClosing(key: string, listener: () => void): () => void {
    if (!this.#handle.isOpen) return () => undefined
    return this.#locate(key).shard.closing.onBegin(listener)
  }

  #locate(key: Key): { readonly shard: Shard; readonly encoded: EncodedKey } {
    const encoded = this.#handle.encodeKey(key)
    return { shard: this.#handle.route(encoded), encoded }
  }

  async #write<T>(shard: Shard, work: Work<T>): Promise<T | undefined> {
    try {
      return await shard.write(work, { deadline: performance.now() + STORING_PATIENCE })
    } catch (error) {
      this.tell(error)
      return undefined
    }
  }

  #background(key: string, work: Work<unknown>): void {
    try {
      const { shard } = this.#locate(key)
      shard.write(work, { deadline: performance.now() + STORING_PATIENCE }).catch(() => undefined)
    } catch {
      // The cache was closed: a lease ends by itself.
    }
  }
}
