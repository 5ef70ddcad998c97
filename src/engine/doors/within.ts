/** Turns of the loop that whatever is waited for gets at least. */
const STEPS = 8

/**
 * What a promise brings, or `late` when it takes longer and `isLate` agrees. The time passes in steps, so that a loop
 * which is busy for longer gives what is ready the turns that it needs.
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
