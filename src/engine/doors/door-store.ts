import type { CacheHandle } from '../cache-handle.js'
import type { DiskCache, StoredFile } from '../contract.js'
import type { Work } from '../database/job.js'
import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import { keyIdentity } from '../disk/keys.js'
import { DiskCacheError } from '../errors.js'
import { tracedStep, tracedWait } from '../observe/verbs.js'
import { isGroundFree } from '../operations/flights.js'
import { extendLease, leaseName } from '../operations/leases.js'
import { newToken } from '../operations/signs-of-life.js'
import type { RemovalScope } from '../operations/stamps.js'
import type { Key } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { performance } from '../timers.js'
import { giveUpLease } from '../verbs/giving-up.js'
import { sessionOf } from '../verbs/reading.js'
import { stampAll } from '../verbs/stamping.js'
import { openUncounted } from '../verbs/stored-file.js'
import { storingFile } from '../verbs/value-source.js'
import { type DoorEntry, type Edit, noteSighting, type Role, type Sighting, sight, write } from './door-entries.js'
import { type DoorLease, endLease, isCurrent, takeLease } from './door-lease.js'
import { editEntries, evictAll, hasTraces, supersede, waitOf } from './door-removal.js'
import { Glances, type Glimpse } from './glances.js'
import { GrowingFile } from './growing-file.js'
import { Opening, tellOf } from './opening.js'
import { plainHandle } from './plain-handle.js'
import { within } from './within.js'

/** The longest wait of each of the two steps of a request for the database. It is then served without the cache. Ms. */
const PATIENCE = 20
/** The longest wait of a background store, for which no request waits. Milliseconds. */
const STORING_PATIENCE = 5000

/** The engine for the HTTP doors: raw bytes, leases, and files that can be read while they are written. */
export class DoorStore {
  readonly #handle: CacheHandle
  readonly #glances: Glances
  readonly #opening: Opening

  constructor(cache: DiskCache, user: string) {
    this.#handle = plainHandle(cache, user)
    this.#glances = new Glances(this.#handle)
    this.#opening = new Opening(this.#handle, error => this.tell(error))
  }

  /** Epoch milliseconds. */
  now(): number {
    return this.#handle.options.clock.now()
  }

  get isWritable(): boolean {
    return !this.#handle.options.readonly
  }

  /** Emits an error that no caller gets, as `refused` or `error`. */
  tell(error: unknown): void {
    // Work that was under way when the cache was closed may fail quietly.
    if (!this.#handle.isOpen && error instanceof DiskCacheError && error.refusal === undefined) return
    tellOf(this.#handle, error)
  }

  /** Runs a step of a request and reports it to those who trace, with what `outcomeOf` says of its result. */
  traced<T>(
    step: string,
    key: string | undefined,
    run: () => Promise<T>,
    outcomeOf?: (result: T) => string,
  ): Promise<T> {
    return tracedStep(this.#handle, step, key, run, outcomeOf)
  }

  /** Returns a wait as it is, and reports it to those who trace. */
  tracedWait<T>(step: string, key: string, work: Promise<T>): Promise<T> {
    return tracedWait(this.#handle, step, key, work)
  }

  /** Opens the cache if that takes only a moment. `false`: the request is served without it. */
  ready(): true | Promise<boolean> {
    return this.#handle.isOpen || within(this.#opening.opened(), 2 * PATIENCE, false)
  }

  /** Reads an entry in the database synchronously and without counting it. Callers of one turn share the object. */
  glance(key: string): Glimpse | undefined {
    return this.#glances.read(key)
  }

  /** Counts an entry that was read with `glance` in this turn of the loop. */
  noteGlance(key: string, role: Role): void {
    this.#glances.note(key, role)
  }

  /** Reads the entry of a key without counting it, which {@link note} does. Errors are emitted and give `undefined`. */
  async look(key: string): Promise<Sighting | undefined> {
    try {
      const { shard, encoded } = this.#locate(key)
      return await this.#handle.read(shard, encoded, { timeout: PATIENCE }, () => sight(shard, encoded), key)
    } catch (error) {
      this.tell(error)
      return undefined
    }
  }

  /** Counts a hit or a miss of a key that `look` has read. */
  note(key: string, seen: Sighting | undefined, role: Role = 'answer'): void {
    const { shard, encoded } = this.#locate(key)
    if (shard.current) noteSighting(shard, encoded, seen, role)
  }

  /** Opens the file of an entry without counting it. */
  async openFile(key: string): Promise<StoredFile | undefined> {
    try {
      const { shard, encoded } = this.#locate(key)
      return await this.#handle.read(shard, encoded, { timeout: PATIENCE }, () => openUncounted(shard, encoded), key)
    } catch (error) {
      this.tell(error)
      return undefined
    }
  }

  /** The size from which values of this key become files. Bytes. */
  minFileSize(key: string): number {
    return this.#handle.isOpen ? this.#locate(key).shard.settings.minFileSize : 0
  }

  /** The limit of the shard of a key. Bytes. */
  sizeLimit(key: string): number {
    return this.#handle.isOpen ? this.#locate(key).shard.settings.sizeLimit : 0
  }

  /** Whether writes for a key wait for something that may take seconds, such as a lock of others. */
  isBlocked(key: string): boolean {
    return this.#handle.isOpen && this.#locate(key).shard.writer.isBlocked
  }

  async createFile(key: string): Promise<GrowingFile> {
    return GrowingFile.create(this.#locate(key).shard)
  }

  /**
   * Takes the lease of a computation. `subject` is the key itself or the key of one of its variants. Resolves to
   * `'held'` while another process has the lease, and to `undefined` when the database is not available.
   */
  async acquire(key: string, subject: string, ttl: number): Promise<DoorLease | 'held' | undefined> {
    if (!this.isWritable) return undefined
    const token = newToken(ttl)
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

  /** Makes a lease last for `ttl` milliseconds from now, in the background. */
  extend({ key, name, token }: DoorLease, ttl: number): void {
    // When the cache was closed, the lease ends by itself.
    if (!this.#handle.isOpen) return
    const run = (session: Session): boolean => extendLease(session, name, token, ttl / 1000)
    const deadline = performance.now() + STORING_PATIENCE
    this.#locate(key)
      .shard.write({ run, optional: true }, { deadline })
      .catch(() => undefined)
  }

  /** Invalidates older computations of the key, but not that of the lease. `undefined`: the lease was lost. */
  supersede(lease: DoorLease, ttl: number): Promise<DoorLease | undefined> {
    return supersede(this.#locate(lease.key).shard, lease, ttl, performance.now() + STORING_PATIENCE)
  }

  release(lease: DoorLease): void {
    if (this.#handle.isOpen) giveUpLease(this.#locate(lease.key).shard, lease)
  }

  /** Whether the result of a lease may still be stored: nobody has taken it over, or removed the key or a tag. */
  isCurrent(lease: DoorLease, tags: readonly string[]): boolean {
    try {
      const session = this.#handle.isOpen ? this.#locate(lease.key).shard.current : undefined
      return !session || isCurrent(session, lease, tags)
    } catch {
      return true
    }
  }

  /** Whether the lease of a subject is free. */
  isFree(key: string, subject: string): boolean {
    try {
      return isGroundFree(sessionOf(this.#locate(key).shard), leaseName('flight', this.#handle.encodeKey(subject)))
    } catch {
      return true
    }
  }

  /**
   * Writes the entry of a lease and ends the lease. Nothing is written when the lease was lost, or when the key or one
   * of the tags was removed meanwhile.
   *
   * @param make builds the new entry from the present one; `undefined`: writes nothing
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
    const landed = await this.#write(shard, { run, identity: keyIdentity(encoded), ...storingFile(shard, pending) })
    // The lease was to end in the write that has failed.
    if (landed === undefined) this.release(lease)
    return landed ?? false
  }

  /** Writes an entry. With `version`, only if the present entry still has it. */
  async put(key: string, entry: DoorEntry, version?: string): Promise<boolean> {
    const { shard, encoded } = this.#locate(key)
    const pending = 'file' in entry.value ? entry.value.file.take() : undefined
    const run = (session: Session): boolean => {
      if (version !== undefined && sight(shard, encoded)?.version !== version) return false
      return write(session, encoded, entry, pending)
    }
    return (await this.#write(shard, { run, identity: keyIdentity(encoded), ...storingFile(shard, pending) })) ?? false
  }

  /** Whether a key has an entry, or a computation for it or one of its variants, as far as a synchronous look shows. */
  hasTraces(key: string): boolean {
    return hasTraces(this.#handle, key)
  }

  /** Leaves a removal stamp in all shards, so that older results are not stored any more. */
  async stamp(scope: RemovalScope): Promise<void> {
    await stampAll(this.#handle, scope, waitOf(this.#handle))
  }

  /** Changes entries, those of one shard in one transaction, with `stamps` if asked for. Resolves to the edits by key. */
  edit(
    keys: readonly string[],
    edit: (key: string, current: Sighting) => Edit,
    options: { readonly stamps: boolean } = { stamps: false },
  ): Promise<Map<string, Edit>> {
    return editEntries(this.#handle, keys, edit, options)
  }

  /** Removes the entries with a tag, of all doors and users. @throws TimeoutError when a lock is not free in time */
  evict(tag: string): Promise<number> {
    return evictAll(this.#handle, tag)
  }

  async open(): Promise<void> {
    await this.#handle.open()
    this.#handle.assertWritable()
  }

  /** Calls a listener when the cache begins to close. Returns a function that removes the listener. */
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
}
