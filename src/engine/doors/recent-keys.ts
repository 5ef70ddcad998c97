import { performance } from '../timers.js'

/** A limited set of keys that forgets each after a while. */
export class RecentKeys {
  readonly #until = new Map<string, number>()
  readonly #most: number
  readonly #milliseconds: number

  constructor(most: number, milliseconds: number) {
    this.#most = most
    this.#milliseconds = milliseconds
  }

  has(key: string): boolean {
    const until = this.#until.get(key)
    if (until === undefined) return false
    if (until > performance.now()) return true
    this.#until.delete(key)
    return false
  }

  add(key: string): void {
    this.#until.delete(key)
    this.#until.set(key, performance.now() + this.#milliseconds)
    if (this.#until.size <= this.#most) return
    const [oldest] = this.#until.keys()
    if (oldest !== undefined) this.#until.delete(oldest)
  }

  delete(key: string): void {
    this.#until.delete(key)
  }
}
