import { sleep } from '../timers.js'

/** Milliseconds. */
const FIRST = 2
const LONGEST = 50

/**
 * The pauses between two looks at what another process does. They are short at first, since most waits are, and differ
 * at random, so that waiting processes do not look all at once.
 */
export class PollPauses {
  #pause = FIRST

  async next(): Promise<void> {
    const pause = this.#pause * (0.5 + Math.random() / 2)
    this.#pause = Math.min(LONGEST, this.#pause * 1.5)
    await sleep(pause)
  }
}
