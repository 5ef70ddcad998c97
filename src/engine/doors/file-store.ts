import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { CacheHandle } from '../cache-handle.js'
import type { DiskCache, StoredFile } from '../contract.js'
import type { Session } from '../database/session.js'
import { keyIdentity } from '../disk/keys.js'
import { TimeoutError } from '../errors.js'
import { accessEngine, type EngineAccess } from '../handle-of.js'
import { isTraced, tracedStep, tracedWait } from '../observe/verbs.js'
import { type Clearance, type FlightPlan, takeOff } from '../operations/flights.js'
import { isOver, leaseName, leaseOf } from '../operations/leases.js'
import { newToken } from '../operations/signs-of-life.js'
import type { Key } from '../options.js'
import { performance } from '../timers.js'
import { sessionOf } from '../verbs/reading.js'
import { openStoredFile } from '../verbs/stored-file.js'
import { type FileKey, FileLease } from './file-lease.js'
import { Opening, tellOf } from './opening.js'
import { within } from './within.js'

/** How long a request may wait for a new directory to be created. Milliseconds. */
const MAKING = 1000
/** The first database of a Cache and of a FanoutCache. */
const DATABASES = ['cache.db', '000/cache.db']

/**
 * The engine for serving files: reads and leases with a bounded wait. Their errors are emitted as events of the cache
 * and are otherwise treated like a missing entry.
 */
export class FileStore {
  readonly #handle: CacheHandle
  readonly #access: EngineAccess
  readonly #opening: Opening

  /** @throws TypeError when `cache` is neither a cache nor a view of this package */
  constructor(cache: DiskCache, user: string) {
    this.#access = accessEngine(cache, user)
    this.#handle = this.#access.handle
    this.#opening = new Opening(this.#handle, error => this.tell(error))
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

  /** Encodes and routes a key. @throws TypeError when it is no key */
  keyOf(key: Key): FileKey {
    const encoded = this.#access.encodeKey(key)
    const shard = this.#handle.isOpen ? this.#handle.route(encoded) : undefined
    return { key, encoded, identity: keyIdentity(encoded), shard }
  }

  /** Emits an error that no caller gets, as `refused` or `error`. */
  tell(error: unknown, key?: Key): void {
    tellOf(this.#handle, error, key)
  }

  get isOpen(): boolean {
    return this.#handle.isOpen
  }

  /** Opens the cache, however long that takes. Resolves to whether it is open. */
  async warm(): Promise<boolean> {
    return this.#handle.isOpen || (await this.#opening.opened())
  }

  /** Opens the cache within `patience` milliseconds. `false`: the request is served without it. */
  async ready(patience: number): Promise<boolean> {
    if (this.#handle.isOpen) return true
    // A new directory is created once, and nobody can have locked it: waiting longer is worth it.
    const isNew = !DATABASES.some(name => existsSync(join(this.directory, name)))
    return within(this.#opening.opened(), isNew ? MAKING : patience, false)
  }

  /** Runs a step of a request and reports it to those who trace, with what `outcomeOf` says of its result. */
  traced<T>(step: string, { key }: FileKey, run: () => Promise<T>, outcomeOf?: (result: T) => string): Promise<T> {
    return isTraced() ? tracedStep(this.#handle, step, this.#access.hostKey(key), run, outcomeOf) : run()
  }

  /** Reports a wait to those who trace, and returns it as it is. */
  tracedWait<T>({ key }: FileKey, work: Promise<T>): Promise<T> {
    return isTraced() ? tracedWait(this.#handle, 'sendFile.wait', this.#access.hostKey(key), work) : work
  }

  /**
   * Opens the file of a key. Waits up to `patience` milliseconds for the database, then resolves to `undefined`. A slow
   * disk is waited for without limit.
   */
  read(at: FileKey, patience: number): Promise<StoredFile | undefined> {
    return isTraced()
      ? this.traced('sendFile.lookup', at, () => this.#read(at, patience), toldOf)
      : this.#read(at, patience)
  }

  async #read({ key, encoded, shard }: FileKey, patience: number): Promise<StoredFile | undefined> {
    if (!shard) return undefined
    let late = false
    const reading = this.#handle
      .read(shard, encoded, { timeout: patience }, () => openStoredFile(shard, encoded), key)
      .catch(error => {
        // The timeout was reported already.
        if (!(error instanceof TimeoutError)) this.tell(error, key)
      })
      .then(file => {
        // The caller has gone on without the file.
        if (late) void file?.close()
        return file ?? undefined
      })
    return within(reading, patience, undefined, () => {
      late = shard.current === undefined
      return late
    })
  }

  /**
   * Asks for the right to fill a key. `'held'`: another process fills it. `'stored'`: a file exists now. `undefined`:
   * the database is not available or is read-only.
   *
   * @param lease how long the right lasts without a sign of life. Milliseconds
   */
  async takeOff(at: FileKey, lease: number, patience: number): Promise<FileLease | 'held' | 'stored' | undefined> {
    const { shard, encoded, key } = at
    if (!shard || !this.isWritable || !this.#handle.isOpen) return undefined
    const name = leaseName('flight', encoded)
    const hostKey = this.#access.hostKey(key)
    const plan: FlightPlan = {
      key: encoded,
      text: typeof hostKey === 'string' ? hostKey : undefined,
      tags: [],
      name,
      token: newToken(lease),
      seconds: lease / 1000,
      replaced: undefined,
    }
    const run = (session: Session): Clearance => takeOff(session, plan)
    try {
      const clearance = await shard.write({ run, optional: true }, { deadline: performance.now() + patience })
      if (clearance.kind !== 'granted') return clearance.kind
      return new FileLease(this.#access, (error, of) => this.tell(error, of), {
        at: { ...at, shard },
        plan,
        lease,
        found: clearance.found,
      })
    } catch (error) {
      this.tell(error, key)
      return undefined
    }
  }

  /** Whether no process fills the key. */
  isFree({ shard, encoded }: FileKey): boolean {
    try {
      if (!shard || !this.#handle.isOpen) return true
      const session = sessionOf(shard)
      const name = leaseName('flight', encoded)
      const lease = leaseOf(session, name)
      return !lease || isOver(session, name, lease)
    } catch {
      // The log is under recovery, or the database was moved. Asking for the lease will find out.
      return true
    }
  }
}

function toldOf(file: StoredFile | undefined): string {
  return file ? 'hit' : 'miss'
}
