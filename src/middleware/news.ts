/** Lets readers of something that changes wait for the next change. */
export class News {
  readonly #wakers = new Set<() => void>()
  #count = 0

  /** The number of changes until now. */
  get count(): number {
    return this.#count
  }

  /** Called after a change. */
  tell(): void {
    this.#count++
    const wakers = [...this.#wakers]
    this.#wakers.clear()
    for (const wake of wakers) wake()
  }

  /** Resolves when there have been more changes than `count`. */
  async after(count: number): Promise<void> {
    if (count !== this.#count) return
    await new Promise<void>(resolve => void this.#wakers.add(resolve))
  }
}
