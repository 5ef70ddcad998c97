/** A promise that the test fulfils: what waits for it goes on when it is opened. */
export class Gate<T = void> {
  readonly opened: Promise<T>
  open!: (value: T) => void

  constructor() {
    this.opened = new Promise(resolve => {
      this.open = resolve
    })
  }
}

/** The next turn of the loop: all that only waited for promises has gone on. */
export function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
