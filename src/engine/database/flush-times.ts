import { turnHasTime } from '../fairness.js'

const ANSWERED = Promise.resolve()
/** As it is when the package is loaded: fake timers of a test may replace it later. */
const { nextTick } = process
/** So many flushes pass at most before it is tried again whether those who are answered write more. */
const LONGEST_PAUSE = 64

/**
 * When a writer writes.
 *
 * The first time is the check phase of the loop, when the callbacks of this turn have queued what they have; a microtask
 * would commit each alone. Who is answered then and queues more is written in the same turn, when all who were answered
 * have gone on: a turn of the loop costs a tenth of a `set`. That ends with the slice of time that a turn has.
 */
export class FlushTimes {
  readonly #flush: () => void
  #immediate: NodeJS.Immediate | undefined
  #timer: NodeJS.Timeout | undefined
  /** Those who were answered go on. */
  #answering = false
  #asked = false
  /** Flushes after which nobody is awaited: where nobody wrote more, the tick would be for nothing. */
  #pause = 0
  #passed = 0

  constructor(flush: () => void) {
    this.#flush = flush
  }

  /** As soon as there is something in common with others. A time that is set already stays. */
  soon(): void {
    if (this.#answering) this.#asked = true
    else if (!this.#timer) this.#immediate ??= setImmediate(this.#run)
  }

  /** Not before some milliseconds are over. */
  after(milliseconds: number): void {
    this.#timer = setTimeout(this.#run, milliseconds)
  }

  readonly #run = (): void => {
    this.#immediate = undefined
    this.#timer = undefined
    this.#flush()
    if (this.#immediate || this.#timer || this.#passed++ < this.#pause) return
    this.#passed = 0
    this.#answering = true
    void ANSWERED.then(this.#afterFirst)
  }

  /** The first who were answered have gone on; behind a tick so have those who follow from them. */
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
