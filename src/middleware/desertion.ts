import type { HttpResponse } from './http-message.js'
import type { BodySink } from './recorder.js'

/** How long those who have joined an answer wait for more of it when its own client has gone. Milliseconds. */
const PATIENCE = 1000

/**
 * The rest of an answer whose client has gone while others get it, too. Most handlers do not notice, and go on; the others
 * are cut off when it was piped, which ends with its client, or when nothing comes for a while.
 */
export class Desertion {
  readonly #sink: BodySink
  #timer: NodeJS.Timeout | undefined
  #isOver = false

  constructor(response: HttpResponse, sink: BodySink) {
    this.#sink = sink
    response.once('unpipe', () => this.giveUp())
    this.#wait()
  }

  write(bytes: Buffer): void {
    this.#wait()
    this.#sink.write(bytes)
  }

  end(): void {
    this.#stop()
    this.#sink.end()
  }

  /** Nothing more comes. */
  giveUp(): void {
    this.#stop()
    this.#sink.abort()
  }

  #wait(): void {
    clearTimeout(this.#timer)
    if (!this.#isOver) this.#timer = setTimeout(() => this.giveUp(), PATIENCE).unref()
  }

  #stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }
}
