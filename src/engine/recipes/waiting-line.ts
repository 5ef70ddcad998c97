/**
 * Those of one process who wait for the same thing, in the order in which they came. Only the first of them asks the
 * database, so that a hundred waiters cost as much as one.
 */
export class WaitingLine {
  readonly #places: Place[] = []

  get empty(): boolean {
    return this.#places.length === 0
  }

  enter(): Place {
    const place = new Place(this.#places)
    this.#places.push(place)
    return place
  }

  /** What is waited for may be free. */
  nudge(): void {
    this.#places[0]?.nudge()
  }
}

/** One who waits. */
export class Place {
  readonly #line: Place[]
  /** Ends what it waits for at present: its turn, or a pause. */
  #go: (() => void) | undefined
  #nudged = false
  #awake = false

  constructor(line: Place[]) {
    this.#line = line
  }

  get isFirst(): boolean {
    return this.#line[0] === this
  }

  /** Resolves when it is the first of the line, or was woken. */
  async turn(): Promise<void> {
    if (this.isFirst || this.#awake) return
    await new Promise<void>(resolve => {
      this.#go = resolve
    })
  }

  /** Forgets that it was nudged: it looks now. */
  look(): void {
    this.#nudged = false
  }

  /** Resolves after `milliseconds`, or when it is nudged or woken, also if that was after it began to look. */
  async pause(milliseconds: number): Promise<void> {
    if (this.#awake || this.#nudged) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>(resolve => {
      this.#go = resolve
      timer = setTimeout(resolve, milliseconds)
    })
    clearTimeout(timer)
  }

  nudge(): void {
    this.#nudged = true
    this.#go?.()
  }

  /** Ends its waiting, now and later. */
  wake(): void {
    this.#awake = true
    this.#go?.()
  }

  /** Leaves the line; the next one becomes the first. */
  leave(): void {
    if (this.isFirst) {
      this.#line.shift()
      this.#line[0]?.nudge()
      return
    }
    const at = this.#line.indexOf(this)
    if (at > 0) this.#line.splice(at, 1)
  }
}
