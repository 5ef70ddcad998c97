import { ManualClock } from './manual-clock.js'

/** Something happens in another connection when a cache looks at its clock, which it does between two statements. */
export class BusyClock extends ManualClock {
  #looks = 0
  #meanwhile: (() => void) | undefined

  /** @param looks how often the clock is looked at until then */
  at(looks: number, meanwhile: () => void): void {
    this.#looks = looks
    this.#meanwhile = meanwhile
  }

  /** Nothing happens any more. */
  rest(): void {
    this.#looks = 0
  }

  override now(): number {
    if (--this.#looks === 0) this.#meanwhile?.()
    return super.now()
  }
}
