import { clearInterval, setInterval } from '../engine/timers.js'
import { Chunks } from './chunks.js'

/** How long joined requests wait for a handler that waits for its own client. Milliseconds. */
const PATIENCE = 3000

/** The callbacks of the spool. */
export interface Creditor {
  /** The number of bytes at which the handler has to wait. */
  most(): number
  /** Called when the handler may continue. */
  onRoom(): void
  /** Called when the handler has waited for long. */
  onStall(): void
}

/** The bytes of a body that the client of the handler still has to get and that are in no file. */
export class Owed {
  readonly #chunks: Chunks
  readonly #creditor: Creditor
  #isFull = false
  #timer: NodeJS.Timeout | undefined

  /** @param start the position of the first chunk in the body */
  constructor(start: number, creditor: Creditor) {
    this.#chunks = new Chunks(start)
    this.#creditor = creditor
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
  }

  at(place: number): Buffer | undefined {
    return this.#chunks.at(place)
  }

  /** Whether the handler may continue. If not, `onRoom` is called when it may. */
  hasRoom(): boolean {
    if (this.#chunks.bytes < this.#creditor.most()) return true
    this.#isFull = true
    this.#timer ??= setInterval(() => this.#creditor.onStall(), PATIENCE).unref()
    return false
  }

  /** Drops bytes that are in the file or were sent. */
  forget(until: number): void {
    this.#chunks.forget(until)
    this.review()
  }

  /** Checks again whether there is room, after the limit has changed. */
  review(): void {
    if (!this.#isFull || this.#chunks.bytes >= this.#creditor.most()) return
    this.close()
    this.#creditor.onRoom()
  }

  close(): void {
    this.#isFull = false
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
