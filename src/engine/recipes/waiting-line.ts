/** One who waits. */
export interface Ticket {
  /** Resolves when it is the first of the line, or was woken. */
  readonly first: Promise<void>
  /** Leaves the line; the next one becomes the first. */
  leave(): void
  /** Resolves after `milliseconds`, or when it is woken. */
  pause(milliseconds: number): Promise<void>
  /** Ends its waiting, now and later. */
  wake(): void
}

/**
 * Those of one process who wait for the same thing, in the order in which they came. Only the first of them asks the
 * database, so that a hundred waiters cost as much as one.
 */
export class WaitingLine {
  readonly #places: Place[] = []

  get empty(): boolean {
    return this.#places.length === 0
  }

  enter(): Ticket {
    const place = new Place()
    this.#places.push(place)
    if (this.#places.length === 1) place.call()
    const leave = (): void => {
      const at = this.#places.indexOf(place)
      if (at >= 0) this.#places.splice(at, 1)
      if (at === 0) this.#places[0]?.call()
    }
    return { first: place.first, leave, pause: time => place.pause(time), wake: () => place.wake() }
  }

  /** What is waited for may be free. */
  nudge(): void {
    this.#places[0]?.endPause()
  }
}

class Place {
  readonly first: Promise<void>
  call: () => void = () => undefined
  endPause: () => void = () => undefined
  #awake = false

  constructor() {
    this.first = new Promise(resolve => {
      this.call = resolve
    })
  }

  async pause(milliseconds: number): Promise<void> {
    if (this.#awake) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, milliseconds)
      this.endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  wake(): void {
    this.#awake = true
    this.call()
    this.endPause()
  }
}
