import { Chunks } from './chunks.js'

/** How long those who have joined an answer wait for its handler, which waits for its own client. Milliseconds. */
const PATIENCE = 3000

/** What the owner of a debt is asked and told. */
export interface Creditor {
  /** Bytes from which on the handler has to wait. */
  most(): number
  /** The handler may go on. */
  onRoom(): void
  /** The handler has waited for long. */
  onStall(): void
}

/** What the client of a handler still has to get of a body, as far as it is in no file. */
export class Owed {
  readonly #chunks: Chunks
  readonly #creditor: Creditor
  #isFull = false
  #timer: NodeJS.Timeout | undefined

  /** @param start where in the body the first chunk will lie */
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

  /** Whether the handler may go on. If not, it is told when it may. */
  hasRoom(): boolean {
    if (this.#chunks.bytes < this.#creditor.most()) return true
    this.#isFull = true
    this.#timer ??= setInterval(() => this.#creditor.onStall(), PATIENCE).unref()
    return false
  }

  /** What is in the file, or was sent, need not be kept. */
  forget(until: number): void {
    this.#chunks.forget(until)
    this.review()
  }

  /** Looks again whether there is room: how much may be owed has changed. */
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
