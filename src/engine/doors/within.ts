import { clearTimeout, setTimeout } from '../timers.js'

/** The fewest turns of the loop that the promise gets. */
const STEPS = 8

/**
 * Resolves to the result of a promise, or to `late` after `time` if `isLate` agrees. The time passes in steps, so that
 * a busy loop still gives a promise that is ready the turns it needs.
 */
export function within<T>(promise: Promise<T>, time: number, late: T, isLate: () => boolean = () => true): Promise<T> {
  return new Promise((resolve, reject) => {
    let steps = 0
    const tick = (): void => {
      steps++
      if (steps >= STEPS && isLate()) resolve(late)
      else timer = setTimeout(tick, time / STEPS)
    }
    let timer = setTimeout(tick, time / STEPS)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
