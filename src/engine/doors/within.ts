/** What a promise brings, or `late` when it takes longer. */
export function within<T>(promise: Promise<T>, time: number, late: T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(late), time)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
