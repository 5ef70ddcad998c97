import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { CacheHandle } from './cache-handle.js'
import type { DiskCache, StoredFile } from './contract.js'
import type { Session } from './database/session.js'
import type { EncodedKey } from './disk/codec.js'
import { type KeyIdentity, keyIdentity } from './disk/keys.js'
import { DiskCacheError, TimeoutError } from './errors.js'
import { GrowingFile } from './for-doors.js'
import type { NewEntry } from './operations/entries.js'
import { type Clearance, type FlightPlan, isGroundFree, type LiveEntry, land, takeOff } from './operations/flights.js'
import { extendLease, leaseName, leaseOf, releaseLease } from './operations/leases.js'
import { removedSince } from './operations/stamps.js'
import type { Key, PlainData } from './options.js'
import { accessEngine } from './recipes/engine-access.js'
import type { Shard } from './shards/shard.js'
import type { Duration } from './time.js'
import { sessionOf } from './verbs/reading.js'
import { openStoredFile } from './verbs/stored-file.js'
import { encodeMeta, resolveStoring } from './verbs/verb-options.js'

/** Nobody waits for what is stored. Milliseconds. */
const STORING_PATIENCE = 5000
const LONGEST_BEAT = 3_600_000
/** How long a directory that was not there may take to be made. Milliseconds. */
const MAKING = 1000
/** Where the databases of both kinds of caches begin. */
const DATABASES = ['cache.db', '000/cache.db']
/** Turns of the loop that whatever is waited for gets at least. */
const STEPS = 8

/** How a file is stored. */
export interface FileStoring {
  readonly meta: PlainData
  readonly ttl?: Duration | null | undefined
  readonly tags: readonly string[]
}

/** A key, where it lies, and what it is found by within a process. */
export interface FileKey {
  readonly key: Key
  readonly encoded: EncodedKey
  readonly identity: KeyIdentity
  /** Absent while the cache is not open. */
  readonly shard: Shard | undefined
}

/**
 * What serving files needs of the engine beyond the verbs: reads and leases that wait no longer than told, and whose
 * trouble is told to the listeners of the cache and is otherwise the same as nothing being there.
 */
export class FileStore {
  readonly #handle: CacheHandle
  #opening: Promise<boolean> | undefined

  /** @throws TypeError when it is no cache of this package */
  constructor(cache: DiskCache, user: string) {
    this.#handle = accessEngine(cache as Parameters<typeof accessEngine>[0], user)
  }

  get directory(): string {
    return this.#handle.directory
  }

  get isWritable(): boolean {
    return !this.#handle.options.readonly
  }

  /** Epoch milliseconds. */
  now(): number {
    return this.#handle.options.clock.now()
  }

  /** @throws TypeError for what is no key */
  keyOf(key: Key): FileKey {
    const encoded = this.#handle.encodeKey(key)
    const shard = this.#handle.isOpen ? this.#handle.route(encoded) : undefined
    return { key, encoded, identity: keyIdentity(encoded), shard }
  }

  /** Tells the listeners of the cache what nobody else will hear of. */
  tell(error: unknown, key?: Key): void {
    if (error instanceof DiskCacheError && error.refusal !== undefined) this.#handle.tellRefused(error, key)
    else this.#handle.events.emit('error', error instanceof Error ? error : new Error(String(error)))
  }

  get isOpen(): boolean {
    return this.#handle.isOpen
  }

  /** Opens the cache, however long that takes; answers whether it is open. */
  async warm(): Promise<boolean> {
    return this.#handle.isOpen || (await this.#opened())
  }

  /** Whether the cache is open, or can be opened within some milliseconds. Until it is, there is no cache. */
  async ready(patience: number): Promise<boolean> {
    if (this.#handle.isOpen) return true
    // Nobody can hold what is being made now, and it is made once.
    const isNew = !DATABASES.some(name => existsSync(join(this.directory, name)))
    return within(this.#opened(), isNew ? MAKING : patience, false)
  }

  /** Opens the file of a key. A database that cannot be had within `patience` milliseconds has none; a slow disk is waited for. */
  async read({ key, encoded, shard }: FileKey, patience: number): Promise<StoredFile | undefined> {
    if (!shard) return undefined
    let late = false
    const reading = this.#handle
      .read(shard, encoded, { timeout: patience }, () => openStoredFile(shard, encoded), key)
      .catch(error => {
        // That it gave up waiting has been told.
        if (!(error instanceof TimeoutError)) this.tell(error, key)
      })
      .then(file => {
        // Whoever asked has gone on without it.
        if (late) void file?.close()
        return file ?? undefined
      })
    return within(reading, patience, undefined, () => {
      late = shard.current === undefined
      return late
    })
  }

  /**
   * Asks for the right to fill a key. `held`: another process fills it; `stored`: a file is there now; `undefined`: the
   * database is not to be had, or is read-only.
   *
   * @param lease how long the right lasts without a sign of life, in milliseconds
   */
  async takeOff(at: FileKey, lease: number, patience: number): Promise<FileLease | 'held' | 'stored' | undefined> {
    const { shard, encoded, key } = at
    if (!shard || !this.isWritable || !this.#handle.isOpen) return undefined
    const name = leaseName('flight', encoded)
    const plan: FlightPlan = { key: encoded, name, token: randomUUID(), seconds: lease / 1000, replaced: undefined }
    const run = (session: Session): readonly [Clearance, number] => {
      const clearance = takeOff(session, plan)
      return [clearance, leaseOf(session, name)?.fence ?? 0]
    }
    try {
      const [clearance, fence] = await shard.write({ run, optional: true }, { deadline: performance.now() + patience })
      if (clearance.kind !== 'granted') return clearance.kind
      return new FileLease(this.#handle, this, { at: { ...at, shard }, plan, lease, found: clearance.found, fence })
    } catch (error) {
      this.tell(error, key)
      return undefined
    }
  }

  /** Whether nobody fills a key any more. */
  isFree({ shard, encoded }: FileKey): boolean {
    try {
      return !shard || !this.#handle.isOpen || isGroundFree(sessionOf(shard), leaseName('flight', encoded))
    } catch {
      // The log is under recovery, or the database was moved: asking for the lease finds out.
      return true
    }
  }

  #opened(): Promise<boolean> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #open(): Promise<boolean> {
    try {
      await this.#handle.open()
      return true
    } catch (error) {
      this.tell(error)
      return false
    }
  }
}

interface Granted {
  readonly at: FileKey & { readonly shard: Shard }
  readonly plan: FlightPlan
  readonly lease: number
  readonly found: LiveEntry | undefined
  readonly fence: number
}

/** The right to fill a key. It is kept up until it is released, or used by `store`. */
export class FileLease {
  readonly #handle: CacheHandle
  readonly #store: FileStore
  readonly #granted: Granted
  readonly #heartbeat: NodeJS.Timeout
  readonly #forget: () => void
  #isOver = false
  #isStoring = false

  constructor(handle: CacheHandle, store: FileStore, granted: Granted) {
    this.#handle = handle
    this.#store = store
    this.#granted = granted
    const { lease, at } = granted
    this.#heartbeat = setInterval(() => this.#beat(), Math.min(lease / 3, LONGEST_BEAT)).unref()
    // What is being stored ends the lease by itself, and closing waits for it.
    this.#forget = at.shard.closing.onBegin(() => !this.#isStoring && this.release())
  }

  /** Bytes of the largest file that can be stored. */
  get sizeLimit(): number {
    return this.#granted.at.shard.settings.sizeLimit
  }

  /** A file that can be read while it is written. */
  async createFile(): Promise<GrowingFile> {
    const { shard } = this.#granted.at
    try {
      const { temporary, handle } = await shard.disk.files.create()
      return new GrowingFile(shard, temporary, handle)
    } catch (error) {
      throw shard.translate(error)
    }
  }

  /**
   * Stores a file and ends the lease. Answers false, and leaves nothing of the file, when the lease was lost, the key was
   * stored or removed meanwhile, or the cache refuses.
   */
  async store(file: GrowingFile, { meta, ttl, tags }: FileStoring): Promise<boolean> {
    const { at, plan, found, fence } = this.#granted
    const { shard, key } = at
    if (this.#isOver || !this.#handle.isOpen) return false
    const pending = file.take()
    const discard = (): void => shard.disk.files.discard(pending)
    const run = (session: Session): boolean => {
      const isStruck = typeof key === 'string' && removedSince(session, { key, tags }, fence)
      const stored = !isStruck && land(session, plan, found, entry(), undefined)
      if (!stored) session.afterCommit(discard)
      return stored
    }
    const entry = (): NewEntry => {
      const now = shard.disk.now()
      const { expireTime } = resolveStoring({ ttl, tags }, now, this.#handle.options.defaultTtl)
      const value = shard.disk.prepareFile(pending, encodeMeta(meta))
      return { key: plan.key, value, now, expireTime, tag: null, tags: [...new Set(tags)] }
    }
    this.#isStoring = true
    try {
      const patience = { deadline: performance.now() + Math.max(STORING_PATIENCE, this.#handle.options.timeout) }
      const stored = await shard.write({ run, identity: at.identity, discard }, patience)
      this.#end()
      return stored
    } catch (error) {
      this.#store.tell(error, key)
      return false
    } finally {
      this.#isStoring = false
      this.release()
    }
  }

  /** Ends it. Where that cannot be written it ends by itself. */
  release(): void {
    if (this.#isOver) return
    this.#end()
    const { at, plan, lease } = this.#granted
    const run = (session: Session): boolean => releaseLease(session, plan.name, plan.token)
    at.shard.write({ run, optional: true }, { deadline: performance.now() + lease }).catch(() => undefined)
  }

  #end(): void {
    this.#isOver = true
    clearInterval(this.#heartbeat)
    this.#forget()
  }

  #beat(): void {
    const { at, plan, lease } = this.#granted
    const run = (session: Session): boolean => extendLease(session, plan.name, plan.token, lease / 1000)
    // A beat that fails costs the lease when others take it over, which is seen when the file is stored.
    at.shard.write({ run, optional: true }, { deadline: performance.now() + lease }).catch(() => undefined)
  }
}

/**
 * What a promise brings, or `late` when it takes longer and `isLate` agrees. The time passes in steps, so that a loop
 * which is busy for longer gives what is ready the turns that it needs.
 */
function within<T>(promise: Promise<T>, time: number, late: T, isLate: () => boolean = () => true): Promise<T> {
  return new Promise((resolve, reject) => {
    let steps = 0
    const tick = (): void => {
      steps++
      if (steps >= STEPS && isLate()) resolve(late)
      else timer = setTimeout(tick, time / STEPS)
    }
    let timer = setTimeout(tick, time / STEPS)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
