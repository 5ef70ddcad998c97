import { clearTimeout, performance, setTimeout } from '../engine/timers.js'
import { type HttpResponse, isGone, onClose } from './http-message.js'

/** A growing body for the client of the handler, which must get all of it whether it is stored or not. */
export interface Followed {
  /** The rest of the body after the part that the client has got. */
  readonly body: AsyncGenerator<Buffer, void, undefined>
  /** Whether so little is pending that more may be written. */
  hasRoom(): boolean
}

/** The methods that write to a response directly, past middleware. */
export interface Direct {
  write(chunk: Buffer): boolean
  end(): void
}

/** How long a handler waits for its client in total before the detour is taken. Milliseconds. */
const PATIENCE = 100

/**
 * Lets a handler with a slow client continue at the pace of the disk, because other requests may wait for the same
 * answer and must not be held up by a client that does not read. The client gets the rest from the spool at its own
 * pace.
 */
export class Detour {
  readonly #response: HttpResponse
  readonly #direct: Direct
  readonly #follow: () => Followed | undefined
  readonly #onTaken: () => void
  #followed: Followed | undefined
  #waited = 0
  #waitsSince: number | undefined
  #timer: NodeJS.Timeout | undefined
  #wake: (() => void) | undefined

  /** @param onTaken called when the detour is taken while the handler waits */
  constructor(response: HttpResponse, direct: Direct, follow: () => Followed | undefined, onTaken: () => void) {
    this.#response = response
    this.#direct = direct
    this.#follow = follow
    this.#onTaken = onTaken
    onClose(response, () => {
      clearTimeout(this.#timer)
      this.#wake?.()
    })
  }

  /** Whether the client is served from the spool by now, so that the handler must not write to it. */
  get isTaken(): boolean {
    return this.#followed !== undefined
  }

  hasRoom(): boolean {
    return this.#followed?.hasRoom() ?? true
  }

  /** Called when the response has no room for more. */
  wait(): void {
    this.#waitsSince ??= performance.now()
    if (this.#waited >= PATIENCE) this.#take()
    else this.#timer ??= setTimeout(() => this.#goOn(), PATIENCE - this.#waited).unref()
  }

  /** Called when the handler has ended. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  /** Called when the response has room again. */
  drained(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#waitsSince !== undefined) this.#waited += performance.now() - this.#waitsSince
    this.#waitsSince = undefined
    this.#wake?.()
  }

  #goOn(): void {
    if (isGone(this.#response)) return
    this.#take()
    if (this.isTaken) this.#onTaken()
  }

  #take(): void {
    if (this.#followed) return
    this.#followed = this.#follow()
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
      // The client must not take a part for the whole.
      this.#response.destroy()
    }
  }
}
