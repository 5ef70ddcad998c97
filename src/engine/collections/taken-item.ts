import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { EntryRow } from '../database/statements.js'
import { LeaseLostError } from '../errors.js'
import type { Side } from '../operations/queue.js'
import { newToken } from '../operations/signs-of-life.js'
import { extendItem, finishItem, releaseItem, type Taking as Taken, takeItem } from '../operations/taken.js'
import { kindOf } from '../option-names.js'
import type { Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { LONGEST_TIMER, milliseconds } from '../time.js'
import { clearInterval, setInterval } from '../timers.js'
import { checkQueue } from '../verbs/storing.js'
import { readFile } from '../verbs/taking.js'
import { checkVerbOptions } from '../verbs/verb-options.js'
import { patient, shardOf, startVerb } from './collection-cache.js'
import type { TakenItem, Taking } from './contract.js'

const DEFAULT_LEASE = 30_000
/** The part of a lease after which it is extended. */
const BEAT = 1 / 3

interface ResolvedTaking {
  readonly lease: number
  readonly side: Side
}

/** @throws TypeError, RangeError */
export function resolveTaking(options: Taking | undefined): ResolvedTaking {
  checkVerbOptions(options, 'take', 'taking')
  const { side } = checkQueue({ side: options?.side }, 'front')
  const lease = options?.lease === undefined ? DEFAULT_LEASE : milliseconds(options.lease, 'lease')
  if (lease > 0 && lease !== Number.POSITIVE_INFINITY) return { lease, side }
  throw new RangeError(`lease must be a duration that is finite and more than 0, got ${kindOf(options?.lease)}`)
}

/**
 * Takes an item for the duration of a lease. An item whose value file is missing is removed, and the next one taken.
 */
export async function takeNext<T>(
  handle: CacheHandle,
  { lease, side }: ResolvedTaking,
  options: Waiting | undefined,
): Promise<TakenItem<T> | undefined> {
  const shard = shardOf(handle)
  for (;;) {
    const run = (session: Session): ReturnType<typeof takeItem> =>
      takeItem(session, side, newToken(lease), lease / 1000)
    const call = { options: waitingOf(handle, options), refused: undefined }
    const taken = await handle.write(shard, { run, barrier: true }, call)
    if (!taken) return undefined
    const item = new LeasedItem<T>(handle, taken.taking, side, lease)
    try {
      const found = await readValue(shard, taken.row)
      if (found) return item.with(found.value as T)
      await item.done()
    } catch (error) {
      // The value cannot be read now. The item returns when its lease ends, since others, or a later try, may read it.
      item.stop()
      throw error
    }
  }
}

/** Picks the waiting options out of those of `take`. */
function waitingOf(handle: CacheHandle, { retry, timeout, signal }: Waiting = {}): Waiting {
  return patient(handle, {
    ...(retry === undefined ? undefined : { retry }),
    ...(timeout === undefined ? undefined : { timeout }),
    ...(signal === undefined ? undefined : { signal }),
  })
}

async function readValue(shard: Shard, row: EntryRow): Promise<{ readonly value: unknown } | undefined> {
  const [, , , , , , , , size, mode, filename, data] = row
  if (filename === null) return { value: shard.disk.decode(mode, data) }
  const bytes = await readFile(shard, filename, size)
  return bytes && { value: shard.disk.decode(mode, bytes) }
}

/** An item leased by this process, with the timer that extends the lease. */
class LeasedItem<T> {
  readonly #handle: CacheHandle
  readonly #taken: Taken
  readonly #side: Side
  readonly #lease: number
  readonly #lost = new AbortController()
  readonly #timer: NodeJS.Timeout
  /** Heartbeats in a row that found the cache closed. */
  #idle = 0
  #ended = false

  constructor(handle: CacheHandle, taken: Taken, side: Side, lease: number) {
    this.#handle = handle
    this.#taken = taken
    this.#side = side
    this.#lease = lease
    this.#timer = setInterval(() => void this.#beat(), Math.min(lease * BEAT, LONGEST_TIMER))
    // A taken item does not keep the process alive.
    this.#timer.unref()
  }

  /** Builds the object that the user gets. */
  with(value: T): TakenItem<T> {
    const dispose = async (): Promise<void> => {
      if (!this.#ended) await this.release()
    }
    return {
      value,
      signal: this.#lost.signal,
      done: options => this.done(options),
      release: options => this.release(options),
      [Symbol.asyncDispose]: dispose,
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  done(options?: Waiting): Promise<boolean> {
    return this.#end('done', session => finishItem(session, this.#taken), options)
  }

  async release(options?: Waiting): Promise<boolean> {
    try {
      return await this.#end('release', session => releaseItem(session, this.#taken, this.#side), options)
    } catch (error) {
      // At the end of `await using` nobody can ask again. The item returns when its lease has ended.
      this.stop()
      throw error
    }
  }

  /** Ends the taking. The heartbeat continues until the end is committed, because the commit may have to wait. */
  #end(verb: string, run: (session: Session) => boolean, options: Waiting | undefined): Promise<boolean> {
    const handle = this.#handle
    return startVerb(handle, verb, options, () =>
      handle.ready(async () => {
        const call = { options: patient(handle, options), refused: false }
        const ended = await handle.write(shardOf(handle), { run, barrier: true }, call)
        this.#ended = true
        this.stop()
        return ended
      }),
    )
  }

  /** Extends the lease. It does not reopen a closed cache; when it fails, the next beat tries again. */
  async #beat(): Promise<void> {
    const handle = this.#handle
    if (!handle.isOpen) {
      // The lease is over, and the timer of a cache that stays closed would run for as long as the process.
      if (++this.#idle * BEAT >= 1) this.#lose()
      return
    }
    this.#idle = 0
    const run = (session: Session): boolean => extendItem(session, this.#taken, this.#lease / 1000)
    const call = { options: { timeout: this.#lease }, refused: true }
    const held = await handle.write(shardOf(handle), { run, optional: true }, call).catch(() => true)
    if (!held) this.#lose()
  }

  #lose(): void {
    if (this.#ended) return
    this.#ended = true
    this.stop()
    this.#lost.abort(new LeaseLostError('a taken item'))
  }
}
