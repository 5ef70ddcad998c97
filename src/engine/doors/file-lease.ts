import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import type { KeyIdentity } from '../disk/keys.js'
import type { EngineAccess } from '../handle-of.js'
import type { NewEntry } from '../operations/entries.js'
import { type FlightPlan, isCurrent, type LiveEntry, land } from '../operations/flights.js'
import { extendLease } from '../operations/leases.js'
import type { Key, PlainData } from '../options.js'
import type { Shard } from '../shards/shard.js'
import type { Duration } from '../time.js'
import { clearInterval, performance, setInterval } from '../timers.js'
import { giveUpLease } from '../verbs/giving-up.js'
import { storingFile } from '../verbs/value-source.js'
import { encodeMeta, resolveStoring } from '../verbs/verb-options.js'
import { GrowingFile } from './growing-file.js'

/** The longest wait of a store, for which no request waits. Milliseconds. */
const STORING_PATIENCE = 5000
const LONGEST_BEAT = 3_600_000

/** How a file is stored. */
export interface FileStoring {
  readonly meta: PlainData
  readonly ttl?: Duration | null | undefined
  readonly tags: readonly string[]
}

/** A key with its encoded form, its identity within the process, and its shard. */
export interface FileKey {
  readonly key: Key
  readonly encoded: EncodedKey
  readonly identity: KeyIdentity
  /** Absent while the cache is not open. */
  readonly shard: Shard | undefined
}

export interface Granted {
  readonly at: FileKey & { readonly shard: Shard }
  readonly plan: FlightPlan
  readonly lease: number
  readonly found: LiveEntry | undefined
}

/** The right to fill a key. A heartbeat extends it until it is released or used by `store`. */
export class FileLease {
  readonly #access: EngineAccess
  readonly #tell: (error: unknown, key: Key) => void
  readonly #granted: Granted
  readonly #heartbeat: NodeJS.Timeout
  readonly #forget: () => void
  #isOver = false
  #isStoring = false

  constructor(access: EngineAccess, tell: (error: unknown, key: Key) => void, granted: Granted) {
    this.#access = access
    this.#tell = tell
    this.#granted = granted
    const { lease, at } = granted
    this.#heartbeat = setInterval(() => this.#beat(), Math.min(lease / 3, LONGEST_BEAT)).unref()
    // A store under way ends the lease itself, and closing waits for it.
    this.#forget = at.shard.closing.onBegin(() => !this.#isStoring && this.release())
  }

  /** The size of the largest file that can be stored. Bytes. */
  get sizeLimit(): number {
    return this.#granted.at.shard.settings.sizeLimit
  }

  /** Whether the key was neither stored nor removed since, nor its tags purged, as far as that shows before the end. */
  isCurrent(tags: readonly string[]): boolean {
    const { at, plan } = this.#granted
    const session = at.shard.current
    if (this.#isOver || !session) return true
    try {
      return isCurrent(session, plan, tags)
    } catch {
      return true
    }
  }

  /** Creates a file that can be read while it is written. */
  createFile(): Promise<GrowingFile> {
    return GrowingFile.create(this.#granted.at.shard)
  }

  /**
   * Stores a file and ends the lease. Resolves to `false` and removes the file when the lease was lost, the key was
   * stored or removed meanwhile, or the cache refuses.
   */
  async store(file: GrowingFile, { meta, ttl, tags }: FileStoring): Promise<boolean> {
    const { at, plan, found } = this.#granted
    const { shard, key } = at
    if (this.#isOver || !this.#access.handle.isOpen) return false
    const pending = file.take()
    const run = (session: Session): boolean => {
      const stored = land(session, plan, found, entry(), undefined)
      if (!stored) session.afterCommit(() => shard.disk.files.discard(pending))
      return stored
    }
    const entry = (): NewEntry => {
      const now = shard.disk.now()
      const { expireTime } = resolveStoring(
        this.#access.storing({ ttl, tags }),
        now,
        this.#access.handle.options.defaultTtl,
      )
      const value = shard.disk.prepareFile(pending, encodeMeta(meta))
      return { key: plan.key, value, now, expireTime, tag: null, tags: [...new Set(tags)] }
    }
    this.#isStoring = true
    try {
      const patience = { deadline: performance.now() + Math.max(STORING_PATIENCE, this.#access.handle.options.timeout) }
      const stored = await shard.write({ run, identity: at.identity, ...storingFile(shard, pending) }, patience)
      this.#end()
      return stored
    } catch (error) {
      this.#tell(error, key)
      return false
    } finally {
      this.#isStoring = false
      this.release()
    }
  }

  /** Ends the lease. */
  release(): void {
    if (this.#isOver) return
    this.#end()
    const { at, plan } = this.#granted
    giveUpLease(at.shard, plan)
  }

  #end(): void {
    this.#isOver = true
    clearInterval(this.#heartbeat)
    this.#forget()
  }

  #beat(): void {
    const { at, plan, lease } = this.#granted
    const run = (session: Session): boolean => extendLease(session, plan.name, plan.token, lease / 1000)
    // After a failed beat others may take the lease over. Storing the file finds out.
    at.shard.write({ run, optional: true }, { deadline: performance.now() + lease }).catch(() => undefined)
  }
}
