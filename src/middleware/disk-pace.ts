import { clearTimeout, setTimeout } from '../engine/timers.js'

/** Bytes that wait to be written at which a handler has to wait for the disk. */
const HIGH = 8 * 2 ** 20
/** Bytes that wait to be written at which it may go on. */
const LOW = 4 * 2 ** 20
/** How long a handler waits for a disk that takes nothing. Milliseconds. */
const PATIENCE = 1000

/** Makes a handler wait for a disk that is slower than its client, and gives the disk up when it takes nothing at all. */
export class DiskPace {
  readonly #giveUp: () => void
  #onRoom: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(giveUp: () => void) {
    this.#giveUp = giveUp
  }

  /** Whether the handler may go on with so many bytes to be written. If not, `onRoom` is called when it may. */
  hasRoom(waiting: number, onRoom: () => void): boolean {
    if (waiting < (this.#onRoom ? LOW : HIGH)) return true
    this.#onRoom = onRoom
    this.#timer ??= setTimeout(this.#giveUp, PATIENCE).unref()
    return false
  }

  /** Called when the disk has taken some, and so many bytes are left. */
  moved(waiting: number): void {
    if (!this.#onRoom) return
    if (waiting < LOW) this.release()
    else this.#timer?.refresh()
  }

  /** Lets the handler go on, whatever waits. */
  release(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const onRoom = this.#onRoom
    this.#onRoom = undefined
    onRoom?.()
  }
}
