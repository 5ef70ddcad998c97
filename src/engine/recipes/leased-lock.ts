import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import { type KeyIdentity, keyIdentity } from '../disk/keys.js'
import { DiskCacheError, LockTimeoutError, TimeoutError } from '../errors.js'
import { accessEngine } from '../handle-of.js'
import { isTraced, traced } from '../observe/verbs.js'
import { onAbort } from '../on-abort.js'
import type { Grant, LockRules } from '../operations/locks.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import type { Key } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { LONGEST_TIMER, milliseconds } from '../time.js'
import { clearTimeout, performance, setTimeout } from '../timers.js'
import { sessionOf } from '../verbs/reading.js'
import type { CacheLike } from './cache-like.js'
import { checkTtl, KeptLease, type Lease, type LeaseKeeper } from './lease.js'
import type { Acquiring, LockOptions } from './lock-options.js'
import { refuseEviction } from './refuse-eviction.js'
import { TurnTaking, type Waiter } from './turn-taking.js'
import { lineOf, lines, type Place } from './waiting-line.js'

/** Milliseconds; `deadline` on the clock of `performance.now()`. */
interface Patience {
  readonly timeout: number
  readonly deadline: number
  readonly signal: AbortSignal | undefined
}

const PATIENT: Patience = {
  timeout: Number.POSITIVE_INFINITY,
  deadline: Number.POSITIVE_INFINITY,
  signal: undefined,
}
const ACQUIRING = new Set(['timeout', 'signal'])
const TTL_MILLISECONDS = 30_000
/** How long `tryAcquire` waits for the database itself. */
const TRY_MILLISECONDS = 1000
/** A lock is busy after this many releases, each within `BUSY_MILLISECONDS` of the one before. */
const BUSY_RELEASES = 16
const BUSY_MILLISECONDS = 1000
const FIRST_PAUSE = 1
const LONGEST_PAUSE = 25

/** How a kind of lock is stored. */
export interface Kept {
  readonly rules: LockRules
  readonly lineName: string
}

/**
 * The common part of locks and semaphores: a lease that callers wait for, that is kept alive, and that its owner
 * releases.
 */
export class LeasedLock {
  readonly handle: CacheHandle
  readonly encoded: EncodedKey
  /** The name of the waiting line. Equal for callers that wait for the same lock. */
  readonly lineName: string
  /** How the lock is stored in a shard. */
  readonly #rules: LockRules
  readonly #identity: KeyIdentity
  readonly #kind: string
  readonly #key: Key
  readonly #named: string
  readonly #allowEviction: boolean
  readonly #keeper: LeaseKeeper
  readonly #turns: TurnTaking
  #releasedAt = Number.NEGATIVE_INFINITY
  #releases = 0
  #tidying: NodeJS.Timeout | undefined

  constructor(kind: string, cache: CacheLike, key: Key, options: LockOptions, keep: (key: EncodedKey) => Kept) {
    const { ttl = TTL_MILLISECONDS, allowEviction = false } = options
    const access = accessEngine(cache, kind)
    this.handle = access.handle
    this.encoded = access.encodeKey(key)
    this.#kind = kind
    this.#key = access.hostKey(key)
    this.#named = kindOf(key)
    if (typeof allowEviction !== 'boolean') {
      throw new TypeError(`allowEviction must be true or false, got ${kindOf(allowEviction)}`)
    }
    const { rules, lineName } = keep(this.encoded)
    this.#rules = rules
    this.lineName = lineName
    this.#turns = new TurnTaking(lineName)
    this.#identity = keyIdentity(this.encoded)
    this.#allowEviction = allowEviction
    this.#keeper = {
      label: `${kind} ${this.#named}`,
      ttl: checkTtl(ttl),
      extend: (token, time, deadline) => this.#extend(token, time, deadline),
      release: (token, lasts) => this.#release(token, lasts),
      traced: (verb, run) => this.traced(verb, run),
    }
  }

  /**
   * Waits for the lock. Callers of one process get it in the order in which they asked.
   *
   * @throws LockTimeoutError after `timeout`; the reason of `signal`; RangeError on a cache that may evict;
   *   DiskCacheError when the cache is closed meanwhile
   */
  acquire(options?: Acquiring): Promise<Lease> {
    return this.handle.start(
      () => checkAcquiring(options),
      patience => this.#acquire(patience),
    )
  }

  /** Acquires the lock only if it is free and no other caller of this process waits for it. */
  tryAcquire(): Promise<Lease | undefined> {
    return this.handle.ready(async () => {
      const shard = this.#writableShard()
      if (lines.get(shard)?.has(this.lineName) || !this.#mayBeFree(shard)) return undefined
      try {
        return await this.#attempt(shard, performance.now() + TRY_MILLISECONDS, undefined)
      } catch (error) {
        if (error instanceof TimeoutError) return undefined
        throw error
      }
    })
  }

  /** Whether the lock is held, by this or another process. */
  locked(): Promise<boolean> {
    return this.handle.ready(async () => {
      const shard = this.handle.route(this.encoded)
      const look = (): boolean => this.#rules.isFree(sessionOf(shard))
      return !(await this.handle.read(shard, this.encoded, undefined, look))
    })
  }

  /** Runs a verb and reports it to those who trace, under its name behind that of the class. */
  traced<T>(verb: string, run: () => Promise<T>): Promise<T> {
    return isTraced() ? traced(this.handle, `${this.#kind}.${verb}`, this.#key, run, this.#named) : run()
  }

  async #acquire(patience: Patience): Promise<Lease> {
    const shard = this.#writableShard()
    const line = lineOf(shard, this.lineName)
    // The place in line is taken before anything is awaited.
    const place = line.enter()
    const { timeout, signal, deadline } = patience
    try {
      const isTurn = place.isFirst && !this.#turns.isOthers(shard)
      const lease = isTurn ? await this.#attempt(shard, deadline, signal) : undefined
      return lease ?? (await this.#wait(shard, place, patience))
    } catch (error) {
      // The database itself was locked by others.
      if (!(error instanceof TimeoutError) || error instanceof LockTimeoutError || error === signal?.reason) throw error
      throw new LockTimeoutError(this.#keeper.label, timeout, { cause: error })
    } finally {
      place.leave()
      if (line.empty) lines.get(shard)?.delete(this.lineName)
    }
  }

  async #wait(shard: Shard, place: Place, { timeout, signal, deadline }: Patience): Promise<Lease> {
    const giveUp = new AbortController()
    giveUp.signal.addEventListener('abort', () => place.wake(), { once: true })
    const abort = (): void => giveUp.abort(signal?.reason)
    if (signal?.aborted) abort()
    const unwatch = signal && onAbort(signal, abort)
    const late = (): void => giveUp.abort(new LockTimeoutError(this.#keeper.label, timeout))
    const timer = armTimer(deadline - performance.now(), late)
    let waiter: Waiter | undefined
    try {
      for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, pause * 1.5)) {
        await place.turn()
        giveUp.signal.throwIfAborted()
        this.#assertOpen(shard)
        place.look()
        const isTurn = this.#mayBeFree(shard) && !this.#turns.isOthers(shard)
        const lease = isTurn ? await this.#attempt(shard, deadline, giveUp.signal) : undefined
        if (lease) return lease
        waiter ??= this.#turns.wait(shard)
        waiter.looked()
        await place.pause(pause * (0.5 + Math.random() / 2))
      }
    } finally {
      clearTimeout(timer)
      unwatch?.()
      waiter?.end()
    }
  }

  /** One try. `undefined` when others have the lock. */
  async #attempt(shard: Shard, deadline: number, signal: AbortSignal | undefined): Promise<Lease | undefined> {
    const { ttl } = this.#keeper
    const askedAt = performance.now()
    const run = (session: Session): Grant | undefined => this.#rules.take(session, ttl / 1000)
    const grant = await shard.write({ run, identity: this.#identity }, { deadline, signal })
    if (grant === undefined) return undefined
    this.#turns.taken(shard)
    const lease = new KeptLease(this.#keeper, grant.token, grant.fence, askedAt + ttl)
    if (!signal?.aborted) return lease
    // The caller has given up: release the lease, whatever comes of it.
    await lease.release().catch(() => undefined)
    throw signal.reason
  }

  /** Whether an attempt makes sense. A read is cheaper than a transaction and disturbs nobody. */
  #mayBeFree(shard: Shard): boolean {
    const session = shard.current
    if (!session || shard.writer.pending.has(this.#identity)) return true
    shard.memory?.looked()
    try {
      return this.#rules.isFree(session)
    } catch {
      // The attempt will show the error.
      return true
    }
  }

  async #extend(token: string, time: number, deadline: number): Promise<boolean> {
    // A heartbeat does not reopen a closed cache.
    if (!this.handle.isOpen) throw new DiskCacheError(`the cache in ${this.handle.directory} is closed`)
    const run = (session: Session): boolean => this.#rules.extend(session, token, time / 1000)
    return this.handle.route(this.encoded).write({ run, identity: this.#identity }, { deadline })
  }

  #release(token: string, lasts: number): Promise<boolean> {
    return this.handle.ready(() => this.#releaseNow(token, lasts))
  }

  async #releaseNow(token: string, lasts: number): Promise<boolean> {
    const shard = this.handle.route(this.encoded)
    const now = performance.now()
    this.#releases = now - this.#releasedAt < BUSY_MILLISECONDS ? this.#releases + 1 : 1
    this.#releasedAt = now
    const keep = this.#releases > BUSY_RELEASES
    if (keep) this.#tidying ??= this.#tidyIn(BUSY_MILLISECONDS)
    const run = (session: Session): boolean => this.#rules.release(session, token, keep)
    const deadline = now + this.#keeper.ttl
    const released = await shard.write({ run, identity: this.#identity }, { deadline }).catch(error => {
      // The lease has ended by itself by then.
      if (error instanceof TimeoutError && lasts <= this.#keeper.ttl) return false
      throw error
    })
    this.#turns.released(shard)
    lines.get(shard)?.get(this.lineName)?.nudge()
    return released
  }

  /** Removes the row of a busy lock when the lock was not released for a while. */
  #tidyIn(pause: number): NodeJS.Timeout {
    return setTimeout(() => {
      const now = performance.now()
      const left = this.#releasedAt + BUSY_MILLISECONDS - now
      this.#tidying = left > 0 ? this.#tidyIn(left) : undefined
      if (left > 0 || !this.handle.isOpen) return
      const run = (session: Session): void => this.#rules.tidy?.(session)
      const work = { run, identity: this.#identity, optional: true }
      const shard = this.handle.route(this.encoded)
      // If it fails, the expired row is removed when others write.
      shard.write(work, { deadline: now + TRY_MILLISECONDS }).catch(() => undefined)
    }, pause).unref()
  }

  /** @throws ReadonlyError; RangeError when the cache may evict */
  #writableShard(): Shard {
    this.handle.assertWritable()
    const shard = this.handle.route(this.encoded)
    refuseEviction(shard, this.#allowEviction, this.#keeper.label)
    return shard
  }

  /** Waiting neither reopens a closed cache nor continues on one that was opened in its place. */
  #assertOpen(shard: Shard): void {
    if (this.handle.isOpen && this.handle.route(this.encoded) === shard) return
    throw new DiskCacheError(
      `the cache in ${this.handle.directory} was closed while ${this.#keeper.label} was waited for`,
    )
  }
}

/** Checks the options of `acquire`. @throws TypeError, RangeError; the reason of a signal that is aborted */
export function checkAcquiring(options: Acquiring | undefined): Patience {
  if (options === undefined) return PATIENT
  checkOptionsObject(options, 'acquire')
  checkOptionNames(options, ACQUIRING, 'acquire')
  const { signal } = options
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`signal must be an AbortSignal, got ${kindOf(signal)}`)
  }
  const timeout = options.timeout === undefined ? Number.POSITIVE_INFINITY : milliseconds(options.timeout, 'timeout')
  signal?.throwIfAborted()
  return { timeout, signal, deadline: performance.now() + timeout }
}

function armTimer(timeout: number, fire: () => void): NodeJS.Timeout | undefined {
  // Beyond the range of setTimeout no timer is needed: nobody waits 24 days.
  return timeout > LONGEST_TIMER ? undefined : setTimeout(fire, Math.max(0, timeout))
}
