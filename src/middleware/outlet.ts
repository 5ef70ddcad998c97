import type { Readable } from 'node:stream'
import type { HttpResponse } from './http-message.js'
import { isGone, onClose } from './http-message.js'

/**
 * Writes to a response at the pace of its client. It adds its listeners once for all writes, because wrappers such as
 * compression forward added listeners but cannot remove them.
 */
export class Outlet {
  readonly #response: HttpResponse
  #wake: (() => void) | undefined
  #source: Readable | undefined

  constructor(response: HttpResponse) {
    this.#response = response
    response.on('drain', () => this.#wake?.())
    onClose(response, () => {
      this.#wake?.()
      // The source may wait for bytes that come late or never.
      this.#source?.destroy()
    })
  }

  /** Writes a chunk. Resolves when there is room for more, to `false` when the client has gone. */
  async write(chunk: Uint8Array | string): Promise<boolean> {
    if (isGone(this.#response)) return false
    if (!this.#response.write(chunk) && !isGone(this.#response)) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    return !isGone(this.#response)
  }

  /**
   * Writes a whole stream, and destroys it when the client goes away. Resolves to `false` in that case.
   *
   * @param begun the stream with its first chunk
   * @param length the announced length. Bytes
   * @throws the error of the stream; RangeError when it has another length
   */
  async pump(
    source: Readable,
    { begun, length }: { begun?: Begun; length?: number | undefined } = {},
  ): Promise<boolean> {
    this.#source = source
    let written = 0
    try {
      const { iterator, first } = begun ?? (await begin(source))
      for (let step = first; !step.done; step = await iterator.next()) {
        written += step.value.byteLength
        if (length !== undefined && written > length) break
        const there = await this.write(step.value)
        // A client that has got everything may leave.
        if (written === length) return true
        if (!there) return false
      }
      if (length === undefined) return !isGone(this.#response)
      throw new RangeError(`${length} bytes were to be sent, and the body has ${written}`)
    } catch (error) {
      if (isGone(this.#response)) return false
      throw error
    } finally {
      this.#source = undefined
      source.destroy()
    }
  }
}

/** A stream whose first chunk was read, so that it is known to be readable before the head is sent. */
export interface Begun {
  readonly iterator: AsyncIterator<Uint8Array, undefined>
  readonly first: IteratorResult<Uint8Array, undefined>
}

export async function begin(source: Readable): Promise<Begun> {
  const iterator = source[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>
  return { iterator, first: await iterator.next() }
}
