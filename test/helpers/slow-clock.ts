import { ManualClock } from './manual-clock.js'

/** A cache looks at its clock while it works: while this one is slow, each look takes as long as some pages of work. */
export class SlowClock extends ManualClock {
  isSlow = false

  override now(): number {
    for (const until = performance.now() + 2; this.isSlow && performance.now() < until; );
    return super.now()
  }
}
