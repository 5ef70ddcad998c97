/** A wall clock that stands still until the test moves it. */
export class ManualClock {
  #now: number

  constructor(start: number = Date.UTC(2026, 0, 1)) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds
  }

  set(milliseconds: number): void {
    this.#now = milliseconds
  }
}
