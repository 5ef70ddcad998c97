import { type HttpResponse, isGone, onClose } from './http-message.js'

/** A body that grows, for the one client who must get all of it whatever becomes of its storing. */
export interface Followed {
  /** What follows on what the client has been given, as it grows. */
  readonly body: AsyncGenerator<Buffer, void, undefined>
  /** Whether little enough is on its way that more may be written. */
  hasRoom(): boolean
}

/** How to write to a response past whatever has been put on it. */
export interface Direct {
  write(chunk: Buffer): boolean
  end(): void
}

/** How long a handler waits for its client, all in all, before others need not wait with it. Milliseconds. */
const PATIENCE = 100

/**
 * Lets a handler go on whose client reads slowly, at the pace of the disk: others may wait for the same answer, and a
 * client that does not read at all must not hold them up. The client gets the rest from what is stored, at its own pace.
 */
export class Detour {
  readonly #response: HttpResponse
  readonly #direct: Direct
  readonly #follow: (onRoom: () => void) => Followed | undefined
  #followed: Followed | undefined
  #waited = 0
  #waitsSince: number | undefined
  #timer: NodeJS.Timeout | undefined
  #wake: (() => void) | undefined
  #isOwnDrain = false

  constructor(response: HttpResponse, direct: Direct, follow: (onRoom: () => void) => Followed | undefined) {
    this.#response = response
    this.#direct = direct
    this.#follow = follow
    response.on('drain', () => this.#drained())
    onClose(response, () => {
      clearTimeout(this.#timer)
      this.#wake?.()
    })
  }

  /** Whether the client is served from what is stored by now, and nothing is to be written to it. */
  get isTaken(): boolean {
    return this.#followed !== undefined
  }

  hasRoom(): boolean {
    return this.#followed?.hasRoom() ?? true
  }

  /** The response has no room for more. Answers whether the handler may go on all the same. */
  wait(): boolean {
    this.#waitsSince ??= performance.now()
    if (this.#waited >= PATIENCE) this.#take()
    else this.#timer ??= setTimeout(() => this.#goOn(), PATIENCE - this.#waited).unref()
    return this.isTaken
  }

  /** The handler has ended. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  #drained(): void {
    if (this.#isOwnDrain) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#waitsSince !== undefined) this.#waited += performance.now() - this.#waitsSince
    this.#waitsSince = undefined
    this.#wake?.()
  }

  #goOn(): void {
    if (isGone(this.#response)) return
    this.#take()
    if (this.isTaken) this.#tellRoom()
  }

  /** Wakes the handler, and not what waits for the client. */
  #tellRoom(): void {
    this.#isOwnDrain = true
    try {
      this.#response.emit('drain')
    } finally {
      this.#isOwnDrain = false
    }
  }

  #take(): void {
    if (this.#followed) return
    this.#followed = this.#follow(() => this.#tellRoom())
    if (this.#followed) void this.#pump(this.#followed.body)
  }

  async #pump(body: Followed['body']): Promise<void> {
    try {
      for await (const chunk of body) {
        if (isGone(this.#response)) return
        if (this.#direct.write(chunk)) continue
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
        if (isGone(this.#response)) return
      }
      if (!isGone(this.#response)) this.#direct.end()
    } catch {
      // Whoever has a part must not take it for the whole.
      this.#response.destroy()
    }
  }
}
