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

/** One holding, from the first acquisition to the last release. */
interface Holding {
  lease: Lease | undefined
  /** Acquisitions that were not yet released. */
  depth: number
  over: boolean
}

/** The holdings of an async context, innermost first. */
interface Frame {
  readonly lock: string
  readonly holding: Holding
  readonly outer: Frame | undefined
  /** The callback in which it was entered, by its async id. */
  readonly enteredIn: number
}

const contexts = oncePerProcess('contexts', () => new AsyncLocalStorage<Frame | undefined>())
const NO_HOLDING: Holding = { lease: undefined, depth: 0, over: true }
let contextsStay: boolean | undefined

/**
 * A lock that whoever has it may acquire again, as often as it is released. Who that is, is the async context: what is
 * awaited or started from where the lock was acquired. On the same key it excludes `Lock` as well.
 *
 * A function that acquires, and is called without `await` by another, shares its context with that until it has released:
 * run what competes through `run`, which gives each call a context of its own.
 */
export class RLock extends SharedLock {
  readonly #name: string

  /** @throws TypeError for what is no cache, no key, or an unknown option; RangeError for a ttl out of range */
  constructor(cache: CacheLike, key: Key, options: LockOptions = {}) {
    const lock = newEntryLock('RLock', cache, key, options)
    super(lock)
    this.#name = `${lock.handle.directory}\n${lock.lineName}`
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
   * Runs a function while the lock is held, in an async context of its own, and answers what it answers.
   *
   * @throws what the function throws, and as `acquire` does
   */
  async run<T>(body: (lease: Lease) => T | Promise<T>, options?: Acquiring): Promise<T> {
    if (typeof body !== 'function') throw new TypeError(`run needs a function, got ${kindOf(body)}`)
    // A frame of its own: with the one that is there already, AsyncLocalStorage would go on in the caller's context.
    const frame: Frame = { lock: this.#name, holding: NO_HOLDING, outer: contexts.getStore(), enteredIn: 0 }
    return contexts.run(frame, async () => {
      const lease = await this.acquire(options)
      const [outcome] = await Promise.allSettled([(async () => body(lease))()])
      const [release] = await Promise.allSettled([lease.release()])
      // What the function has to say comes first; a lock that could not be given back in time ends by itself.
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
    // What is a sibling's must not become this context's when the sibling gets it.
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

/** Whether a frame that is found in this context is over, or that of somebody else who came by here. */
function isSiblings({ holding, enteredIn }: Frame): boolean {
  // Nobody comes here twice before having the lock, nor in the callback in which it was asked for.
  return holding.over || !holding.lease || (enteredIn === executionAsyncId() && doContextsStay())
}

/**
 * Up to Node 22 a context belongs to an async resource: what is entered in a callback of a timer, or of a connection, is
 * still there when the same timer or connection calls back again.
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

/** One of the acquisitions of a holding: the last one that is released releases the lock. */
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
