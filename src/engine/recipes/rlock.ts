import { AsyncLocalStorage, AsyncResource, executionAsyncId } from 'node:async_hooks'
import { TimeoutError } from '../errors.js'
import { oncePerProcess } from '../once-per-process.js'
import { kindOf } from '../option-names.js'
import type { Key } from '../options.js'
import type { Duration } from '../time.js'
import type { CacheLike } from './cache-like.js'
import { newEntryLock } from './entry-lock.js'
import type { Lease } from './lease.js'
import { checkAcquiring } from './leased-lock.js'
import type { Acquiring, LockOptions } from './lock-options.js'
import { SharedLock } from './shared-lock.js'

/** One period during which the lock is held, from the first acquisition to the last release. */
interface Holding {
  lease: Lease | undefined
  /** Acquisitions that are not released yet. */
  depth: number
  over: boolean
}

/** A linked list of the holdings of an async context, innermost first. */
interface Frame {
  readonly lock: string
  readonly holding: Holding
  readonly outer: Frame | undefined
  /** Async id of the callback that entered it. */
  readonly enteredIn: number
}

const contexts = oncePerProcess('contexts', () => new AsyncLocalStorage<Frame | undefined>())
const NO_HOLDING: Holding = { lease: undefined, depth: 0, over: true }
let contextsStay: boolean | undefined
let areFollowed = false

/**
 * A reentrant lock: its holder may acquire it again, and must release it as often. The holder is the async context,
 * which is everything awaited or started from the place where the lock was acquired. It excludes `Lock` on the same
 * key.
 *
 * A function that acquires and is called without `await` shares its async context with its caller until it releases.
 * Use `run` for calls that compete: it gives each call a context of its own.
 */
export class RLock extends SharedLock {
  readonly #name: string

  /** @throws TypeError for a wrong cache, key or option; RangeError for a ttl below 20 milliseconds or infinite */
  constructor(cache: CacheLike, key: Key, options: LockOptions = {}) {
    const lock = newEntryLock('RLock', cache, key, options)
    super(lock)
    followContexts()
    // The real path: links to one directory lead to one lock.
    this.#name = `${lock.handle.counters.directory}\n${lock.lineName}`
  }

  override async acquire(options?: Acquiring): Promise<Lease> {
    checkAcquiring(options)
    const again = this.#enterAgain()
    if (again) return again
    return this.#hold(this.#enter(), super.acquire(options)) as Promise<Lease>
  }

  override async tryAcquire(): Promise<Lease | undefined> {
    return this.#enterAgain() ?? this.#hold(this.#enter(), super.tryAcquire())
  }

  /**
   * Runs a function while the lock is held, in an async context of its own. Resolves to the result of the function.
   *
   * @throws the errors of the function and those of `acquire`
   */
  async run<T>(body: (lease: Lease) => T | Promise<T>, options?: Acquiring): Promise<T> {
    if (typeof body !== 'function') throw new TypeError(`run needs a function, got ${kindOf(body)}`)
    // A new frame is needed: with the present one, AsyncLocalStorage would stay in the caller's context.
    const frame: Frame = { lock: this.#name, holding: NO_HOLDING, outer: contexts.getStore(), enteredIn: 0 }
    return contexts.run(frame, async () => {
      const lease = await this.acquire(options)
      const [outcome] = await Promise.allSettled([(async () => body(lease))()])
      const [release] = await Promise.allSettled([lease.release()])
      // The error of the function comes first. A lock that could not be released in time ends by itself.
      if (outcome.status === 'rejected') throw outcome.reason
      if (release.status === 'rejected' && !(release.reason instanceof TimeoutError)) throw release.reason
      return outcome.value
    })
  }

  #enterAgain(): Lease | undefined {
    for (let frame = contexts.getStore(); frame; frame = frame.outer) {
      const { lease } = frame.holding
      if (frame.lock !== this.#name || isSiblings(frame) || !lease || lease.signal.aborted) continue
      frame.holding.depth++
      return new NestedLease(frame.holding, lease)
    }
    return undefined
  }

  #enter(): Holding {
    const holding: Holding = { lease: undefined, depth: 1, over: false }
    let outer = contexts.getStore()
    // A holding that a sibling still waits for must not become this context's when the sibling gets it.
    while (outer && isSiblings(outer)) outer = outer.outer
    contexts.enterWith({ lock: this.#name, holding, outer, enteredIn: executionAsyncId() })
    return holding
  }

  async #hold(holding: Holding, acquiring: Promise<Lease | undefined>): Promise<Lease | undefined> {
    try {
      holding.lease = await acquiring
    } finally {
      holding.over = holding.lease === undefined
    }
    return holding.lease && new NestedLease(holding, holding.lease)
  }
}

/** Whether a frame found in this context has ended, or belongs to a sibling that shares the context. */
function isSiblings({ holding, enteredIn }: Frame): boolean {
  // A holder never gets here before it has the lock, nor in the callback in which it asked for it.
  return holding.over || !holding.lease || (enteredIn === executionAsyncId() && doContextsStay())
}

/**
 * Lets Node follow async contexts. Up to Node 22 it begins when the first context is entered: what was awaited before
 * goes on in the context of the callback that ends the wait, which all whom it wakes would share.
 */
function followContexts(): void {
  if (areFollowed) return
  areFollowed = true
  contexts.run({ lock: '', holding: NO_HOLDING, outer: undefined, enteredIn: 0 }, () => undefined)
}

/**
 * Whether contexts stay in their async resource, as they do up to Node 22: a context entered in a callback of a timer
 * or connection is still present when the same timer or connection calls back again.
 */
function doContextsStay(): boolean {
  contextsStay ??= probeContexts()
  return contextsStay
}

function probeContexts(): boolean {
  const probe = new AsyncLocalStorage<boolean>()
  const resource = new AsyncResource('RLock')
  resource.runInAsyncScope(() => probe.enterWith(true))
  const stays = resource.runInAsyncScope(() => probe.getStore() === true)
  probe.disable()
  return stays
}

/** One acquisition of a holding. Releasing the last one releases the lock. */
class NestedLease implements Lease {
  readonly token: string
  readonly fence: number
  readonly #holding: Holding
  readonly #lease: Lease
  #released = false

  constructor(holding: Holding, lease: Lease) {
    this.token = lease.token
    this.fence = lease.fence
    this.#holding = holding
    this.#lease = lease
  }

  get signal(): AbortSignal {
    return this.#lease.signal
  }

  async extend(ttl?: Duration): Promise<boolean> {
    return !this.#released && this.#lease.extend(ttl)
  }

  async release(): Promise<boolean> {
    if (this.#released) return false
    this.#released = true
    if (--this.#holding.depth > 0) return !this.#lease.signal.aborted
    this.#holding.over = true
    return this.#lease.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }
}
