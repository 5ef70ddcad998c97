import { randomUUID } from 'node:crypto'
import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { EncodedKey } from '../disk/codec.js'
import { keyIdentity } from '../disk/keys.js'
import { DiskCacheError, LockTimeoutError, TimeoutError } from '../errors.js'
import type { LockRules } from '../operations/locks.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import type { Key } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { type Duration, milliseconds } from '../time.js'
import { FAILED, tryOnce } from '../verbs/reading.js'
import { accessEngine, type CacheLike, refuseEviction } from './engine-access.js'
import { KeptLease, type Lease, type LeaseKeeper } from './lease.js'
import { type Ticket, WaitingLine } from './waiting-line.js'

/** Options of locks. */
export interface LockOptions {
  /**
   * How long after its last sign of life a holder is taken for dead. A living one extends its lease by itself.
   * @default 30_000
   */
  readonly ttl?: Duration
  /** Use a cache that may evict the lock when it is full. @default false */
  readonly allowEviction?: boolean
}

/** How `acquire` waits. */
export interface Acquiring {
  /** @default as long as it takes */
  readonly timeout?: Duration
  readonly signal?: AbortSignal
}

/** Milliseconds; `deadline` on the clock of `performance.now()`. */
interface Patience {
  readonly timeout: number
  readonly deadline: number
  readonly signal: AbortSignal | undefined
}

const ACQUIRING = new Set(['timeout', 'signal'])
const TTL_MILLISECONDS = 30_000
const LEAST_TTL = 20
/** What setTimeout can count to. Milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1
/** How long `tryAcquire` waits for the database itself. */
const TRY_MILLISECONDS = 1000
const FIRST_PAUSE = 1
const LONGEST_PAUSE = 25

/** Lines of this process, by shard and by what is waited for. */
const lines = new WeakMap<Shard, Map<string, WaitingLine>>()

/** What locks and semaphores have in common: a lease that is waited for, kept alive, and given back by its owner alone. */
export abstract class LeasedLock {
  protected readonly handle: CacheHandle
  protected readonly encoded: EncodedKey
  protected readonly ttl: number
  readonly #label: string
  readonly #lineName: string
  readonly #allowEviction: boolean

  protected constructor(kind: string, cache: CacheLike, key: Key, options: LockOptions, known: ReadonlySet<string>) {
    checkOptionsObject(options, kind)
    checkOptionNames(options, known, kind)
    const { ttl = TTL_MILLISECONDS, allowEviction = false } = options
    this.handle = accessEngine(cache, kind)
    this.encoded = this.handle.encodeKey(key)
    this.ttl = checkTtl(ttl)
    if (typeof allowEviction !== 'boolean') {
      throw new TypeError(`allowEviction must be true or false, got ${kindOf(allowEviction)}`)
    }
    this.#label = `${kind} ${kindOf(key)}`
    this.#lineName = `${kind} ${keyIdentity(this.encoded)}`
    this.#allowEviction = allowEviction
  }

  /** How it is kept in a shard, for a lease that lasts `ttl` milliseconds. */
  protected abstract rules(shard: Shard, ttl: number): LockRules

  /**
   * Waits for the lock. Those of one process get it in the order in which they asked.
   *
   * @throws LockTimeoutError after `timeout`; the reason of `signal`; RangeError on a cache that may evict
   */
  async acquire(options: Acquiring = {}): Promise<Lease> {
    checkOptionsObject(options, 'acquire')
    checkOptionNames(options, ACQUIRING, 'acquire')
    const { signal } = options
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw new TypeError(`signal must be an AbortSignal, got ${kindOf(signal)}`)
    }
    const timeout = options.timeout === undefined ? Number.POSITIVE_INFINITY : milliseconds(options.timeout, 'timeout')
    signal?.throwIfAborted()
    const shard = await this.#openShard()
    const isFirst = lines.get(shard)?.get(this.#lineName) === undefined
    const deadline = performance.now() + timeout
    const lease = isFirst ? await this.#attempt(shard, deadline, signal) : undefined
    return lease ?? this.#wait(shard, { timeout, deadline, signal })
  }

  async #wait(shard: Shard, { timeout, deadline, signal }: Patience): Promise<Lease> {
    const ticket = this.#enterLine(shard)
    const giveUp = new AbortController()
    giveUp.signal.addEventListener('abort', ticket.wake, { once: true })
    const abort = (): void => giveUp.abort(signal?.reason)
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    const timer = armTimer(deadline - performance.now(), () => giveUp.abort(new LockTimeoutError(this.#label, timeout)))
    try {
      for (let pause = FIRST_PAUSE; ; pause = Math.min(LONGEST_PAUSE, pause * 1.5)) {
        await ticket.first
        giveUp.signal.throwIfAborted()
        const lease = await this.#attempt(shard, deadline, giveUp.signal)
        if (lease) return lease
        await ticket.pause(pause * (0.5 + Math.random() / 2))
      }
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      ticket.leave()
    }
  }

  /** The lock, if it is free now; `undefined` if not. */
  async tryAcquire(): Promise<Lease | undefined> {
    const shard = await this.#openShard()
    try {
      return await this.#attempt(shard, performance.now() + TRY_MILLISECONDS, undefined)
    } catch (error) {
      if (error instanceof TimeoutError) return undefined
      throw error
    }
  }

  /** Whether somebody, here or elsewhere, has it, so that nobody could acquire it now. */
  locked(): Promise<boolean> {
    return this.handle.ready(async () => {
      const shard = this.handle.route(this.encoded)
      const rules = this.rules(shard, this.ttl)
      return !(await this.handle.read(shard, this.encoded, undefined, () => isFree(shard, rules)))
    })
  }

  /** One try, as long as the database itself is not locked. `undefined` when others have the lock. */
  async #attempt(shard: Shard, deadline: number, signal: AbortSignal | undefined): Promise<Lease | undefined> {
    const rules = this.rules(shard, this.ttl)
    // Looking is cheaper than a transaction, and disturbs nobody.
    const { pending } = shard.writer
    const look = (): boolean => isFree(shard, rules)
    const seen = pending.empty && shard.current ? tryOnce(look) : FAILED
    const free = seen === FAILED ? await this.handle.read(shard, this.encoded, undefined, look) : seen
    if (!free) return undefined
    const token = randomUUID()
    const askedAt = performance.now()
    const run = (session: Session): number | undefined => rules.take(session, token)
    const identity = keyIdentity(this.encoded)
    try {
      const fence = await shard.write({ run, identity }, { deadline, signal })
      return fence === undefined ? undefined : new KeptLease(this.#keeper(), token, fence, askedAt + this.ttl)
    } catch (error) {
      if (signal?.aborted && !(error instanceof DiskCacheError)) return undefined
      throw error
    }
  }

  #keeper(): LeaseKeeper {
    return {
      name: this.#label,
      ttl: this.ttl,
      extend: async (token, ttl) => {
        // A heartbeat does not open a cache that was closed.
        if (!this.handle.isOpen) throw new DiskCacheError(`the cache in ${this.handle.directory} is closed`)
        return this.#write((shard, session) => this.rules(shard, ttl).extend(session, token))
      },
      release: async token => {
        const released = await this.#write((shard, session) => this.rules(shard, this.ttl).release(session, token))
        lines.get(this.handle.route(this.encoded))?.get(this.#lineName)?.nudge()
        return released
      },
    }
  }

  #write(run: (shard: Shard, session: Session) => boolean): Promise<boolean> {
    return this.handle.ready(() => {
      const shard = this.handle.route(this.encoded)
      const work = { run: (session: Session): boolean => run(shard, session), identity: keyIdentity(this.encoded) }
      return shard.write(work, { deadline: performance.now() + this.ttl })
    })
  }

  #openShard(): Promise<Shard> {
    return this.handle.ready(async () => {
      this.handle.assertWritable()
      const shard = this.handle.route(this.encoded)
      refuseEviction(shard, this.#allowEviction, this.#label)
      return shard
    })
  }

  #enterLine(shard: Shard): Ticket {
    const byName = lines.get(shard) ?? new Map<string, WaitingLine>()
    lines.set(shard, byName)
    const line = byName.get(this.#lineName) ?? new WaitingLine()
    byName.set(this.#lineName, line)
    const ticket = line.enter()
    const leave = (): void => {
      ticket.leave()
      if (line.empty) byName.delete(this.#lineName)
    }
    return { ...ticket, leave }
  }
}

function isFree(shard: Shard, rules: LockRules): boolean {
  const session = shard.current
  return session === undefined || rules.isFree(session)
}

function checkTtl(ttl: unknown): number {
  const time = milliseconds(ttl, 'ttl')
  if (time >= LEAST_TTL && time < Number.POSITIVE_INFINITY) return time
  throw new RangeError(`ttl must be at least ${LEAST_TTL} milliseconds and finite, got ${time}`)
}

function armTimer(timeout: number, fire: () => void): NodeJS.Timeout | undefined {
  // A longer one than setTimeout can count to will not be waited for.
  return timeout > LONGEST_TIMER ? undefined : setTimeout(fire, timeout)
}
