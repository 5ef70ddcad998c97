import { randomUUID } from 'node:crypto'
import type { Session } from '../database/session.js'
import { oncePerProcess } from '../once-per-process.js'
import { noteLease, othersHold, releaseLease } from '../operations/leases.js'
import type { Shard } from '../shards/shard.js'
import { performance } from '../timers.js'

/** How long a process waits for a lock before it notes that it waits. Milliseconds. */
const PATIENCE = 50
/** How long a note lasts, and after which part of that it is renewed. A killed process leaves one behind. */
const NOTE_SECONDS = 10
const RENEWAL = 5000
/** How long a process may go on taking a lock before it looks whether others wait. */
const SERIES = 100
/** How long a lock is left to others: twice the longest pause between two looks of theirs. */
const LEFT_FREE = 50
/** Limit of locks whose series are remembered. */
const MOST_KNOWN = 1000

/** Names this process in its notes. */
const self = oncePerProcess('turns-of', () => ({
  token: randomUUID(),
  series: new WeakMap<Shard, Map<string, Series>>(),
}))

/** A time in which this process took a lock again soon after each release. On the clock of `performance.now()`. */
interface Series {
  readonly beganAt: number
  readonly releasedAt: number
}

/**
 * Keeps a process that takes a lock again and again from shutting out the others. Its own waiters learn of a release at
 * once, those of other processes only when they look next, and would never find the lock free. So whoever waits for long
 * notes it in the database, and a process in a long series leaves the lock to those who have.
 */
export class TurnTaking {
  /** The prefix of the names of all notes about one lock. */
  readonly #group: string
  readonly #lineName: string

  constructor(lineName: string) {
    this.#lineName = lineName
    // The length distinguishes locks of which one name is a prefix of the other.
    this.#group = `waiting:${lineName.length}:${lineName}:`
  }

  taken(shard: Shard): void {
    const now = performance.now()
    const known = this.#seriesIn(shard)
    const beganAt = known && now - known.releasedAt <= LEFT_FREE ? known.beganAt : now
    this.#remember(shard, { beganAt, releasedAt: now })
  }

  released(shard: Shard): void {
    const now = performance.now()
    this.#remember(shard, { beganAt: this.#seriesIn(shard)?.beganAt ?? now, releasedAt: now })
  }

  /** Whether others should have the lock now, although it is free. */
  isOthers(shard: Shard): boolean {
    const series = this.#seriesIn(shard)
    const session = shard.current
    if (!series || !session) return false
    const now = performance.now()
    if (now - series.releasedAt > LEFT_FREE || now - series.beganAt < SERIES) return false
    if (doOthersHold(session, this.#group)) return true
    this.#remember(shard, { beganAt: now, releasedAt: series.releasedAt })
    return false
  }

  /** Begins a wait. */
  wait(shard: Shard): Waiter {
    return new Waiter(shard, this.#group)
  }

  #seriesIn(shard: Shard): Series | undefined {
    return self.series.get(shard)?.get(this.#lineName)
  }

  #remember(shard: Shard, series: Series): void {
    const byName = self.series.get(shard) ?? new Map<string, Series>()
    if (byName.size >= MOST_KNOWN) byName.clear()
    self.series.set(shard, byName.set(this.#lineName, series))
  }
}

/** One caller who waits, and the note about it. */
export class Waiter {
  readonly #shard: Shard
  readonly #group: string
  #noteAt = performance.now() + PATIENCE
  #isNoted = false

  constructor(shard: Shard, group: string) {
    this.#shard = shard
    this.#group = group
  }

  /** Notes that this process waits, when it has waited for long. */
  looked(): void {
    const now = performance.now()
    if (now < this.#noteAt) return
    this.#noteAt = now + RENEWAL
    this.#isNoted = true
    this.#write(session => noteLease(session, this.#group + self.token, self.token, NOTE_SECONDS))
  }

  /** Ends the wait. */
  end(): void {
    if (this.#isNoted) this.#write(session => releaseLease(session, this.#group + self.token, self.token))
  }

  /** Nobody waits for it, and it matters little: a note ends by itself. */
  #write(run: (session: Session) => unknown): void {
    if (this.#shard.current === undefined) return
    this.#shard.write({ run, optional: true }, { deadline: performance.now() + LEFT_FREE }).catch(() => undefined)
  }
}

function doOthersHold(session: Session, group: string): boolean {
  try {
    return othersHold(session, group, self.token)
  } catch {
    // The attempt to take the lock meets the same error and handles it.
    return false
  }
}
