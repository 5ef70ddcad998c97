/** Wakes those who wait for something to change. */
export class News {
  /** How often something has changed. */
  count = 0
  readonly #wakers = new Set<() => void>()

  /** Resolves with the next change. */
  next(): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        this.#wakers.delete(wake)
        resolve()
      }
      this.#wakers.add(wake)
    })
  }

  tell(): void {
    this.count++
    for (const wake of [...this.#wakers]) wake()
  }
}
