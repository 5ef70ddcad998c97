import { keepShape } from '../kept-shapes.js'
import { oncePerProcess } from '../once-per-process.js'
import type { Shard } from '../shards/shard.js'
import { clearTimeout, setTimeout } from '../timers.js'

/** Waiting lines of this process, by shard and by the name of the lock. */
export const lines: WeakMap<Shard, Map<string, WaitingLine>> = oncePerProcess('lines', () => new WeakMap())

/**
 * The callers of one process that wait for the same lock, in the order in which they came. Only the first one asks the
 * database, so that a hundred waiters cost as much as one.
 */
export class WaitingLine {
  /** Linked places, since many may leave from the middle at once when their time is over. */
  first: Place | undefined
  last: Place | undefined

  get empty(): boolean {
    return this.first === undefined
  }

  enter(): Place {
    const place = new Place(this)
    place.before = this.last
    if (this.last) this.last.after = place
    else this.first = place
    this.last = place
    return place
  }

  /** Tells the first caller that the lock may be free. */
  nudge(): void {
    this.first?.nudge()
  }
}

/** The place of one caller in the line. */
export class Place {
  readonly #line: WaitingLine
  before: Place | undefined
  after: Place | undefined
  /** Ends the present wait, for the turn or in a pause. */
  #go: (() => void) | undefined
  #nudged = false
  #awake = false

  constructor(line: WaitingLine) {
    this.#line = line
  }

  get isFirst(): boolean {
    return this.#line.first === this
  }

  /** Resolves when the caller is first in line, or was woken. */
  async turn(): Promise<void> {
    if (this.isFirst || this.#awake) return
    await new Promise<void>(resolve => {
      this.#go = resolve
    })
  }

  /** Forgets an earlier nudge, because the caller looks now. */
  look(): void {
    this.#nudged = false
  }

  /** Resolves after `milliseconds`, or at once when the caller was nudged since its last look or woken. */
  async pause(milliseconds: number): Promise<void> {
    if (this.#awake || this.#nudged) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>(resolve => {
      this.#go = resolve
      timer = setTimeout(resolve, milliseconds)
    })
    clearTimeout(timer)
  }

  nudge(): void {
    this.#nudged = true
    this.#go?.()
  }

  /** Ends the wait of this caller for good. */
  wake(): void {
    this.#awake = true
    this.#go?.()
  }

  /** Leaves the line; the next one becomes the first. */
  leave(): void {
    const wasFirst = this.isFirst
    const { before, after } = this
    if (before) before.after = after
    else this.#line.first = after
    if (after) after.before = before
    else this.#line.last = before
    if (wasFirst) this.#line.nudge()
  }
}

/** The line of a lock, which is made when there is none. */
export function lineOf(shard: Shard, name: string): WaitingLine {
  const byName = lines.get(shard) ?? new Map<string, WaitingLine>()
  const line = byName.get(name) ?? new WaitingLine()
  lines.set(shard, byName)
  byName.set(name, line)
  return line
}

const exemplar = new WaitingLine()
keepShape(exemplar)
keepShape(exemplar.enter())
