import { turnHasTime } from '../fairness.js'
import { nextTick, setTimeout } from '../timers.js'
import { nextInLine } from './flush-line.js'

const ANSWERED = Promise.resolve()
/** The longest pause between two tries to flush again in the same turn, in flushes. */
const LONGEST_PAUSE = 64

/**
 * Decides when a writer flushes its queue.
 *
 * The first flush of a turn runs in the check phase of the loop, after the callbacks of the turn have queued their
 * writes. A microtask would commit each write alone. Callers whose promises resolve then, and who write again at once,
 * are flushed in the same turn, because a turn of the loop costs a tenth of a `set`. This lasts for the time slice of a
 * turn. It pauses where callers do not write again, and where other processes hold the lock: it gains nothing there.
 */
export class FlushTimes {
  readonly #flush: () => void
  #inLine = false
  #timer: NodeJS.Timeout | undefined
  /** Whether the callers of the last flush are running, so that their writes wait for them all. */
  #answering = false
  #asked = false
  /** How many flushes to pass before callers are waited for again. */
  #pause = 0
  #passed = 0

  constructor(flush: () => void) {
    this.#flush = flush
  }

  /** Flushes as soon as writes can share a commit. Keeps a time that is set already. */
  soon(): void {
    if (this.#answering) this.#asked = true
    else if (!this.#timer && !this.#inLine) {
      this.#inLine = true
      nextInLine(this.#run)
    }
  }

  /** Flushes after some milliseconds, because the lock is held by others. */
  after(milliseconds: number): void {
    this.#pause = LONGEST_PAUSE
    this.#passed = 0
    this.#timer = setTimeout(this.#run, milliseconds)
  }

  readonly #run = (): void => {
    this.#inLine = false
    this.#timer = undefined
    this.#flush()
    if (this.#inLine || this.#timer || this.#passed++ < this.#pause) return
    this.#passed = 0
    this.#answering = true
    void ANSWERED.then(this.#afterFirst)
  }

  /** The direct continuations of the callers have run by now. Those that follow from them run before the next tick. */
  readonly #afterFirst = (): void => nextTick(this.#goOn)

  readonly #goOn = (): void => {
    this.#answering = false
    this.#pause = this.#asked ? 0 : Math.min(LONGEST_PAUSE, 2 * this.#pause + 1)
    if (!this.#asked) return
    this.#asked = false
    if (turnHasTime()) this.#run()
    else this.soon()
  }
}
