/** Chunks of a body that are in no file yet, and that somebody still has to get. */
export class Owed {
  readonly #chunks: Buffer[] = []
  #start: number
  #bytes = 0

  /** @param start where in the body the first chunk will lie */
  constructor(start: number) {
    this.#start = start
  }

  get bytes(): number {
    return this.#bytes
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#bytes += chunk.byteLength
  }

  /** What is there from a place on; `undefined` when it is elsewhere, or has not come yet. */
  at(place: number): Buffer | undefined {
    let start = this.#start
    if (place < start) return undefined
    for (const chunk of this.#chunks) {
      if (place < start + chunk.byteLength) return chunk.subarray(place - start)
      start += chunk.byteLength
    }
    return undefined
  }

  /** Forgets chunks that lie before a place. */
  forget(until: number): void {
    let gone = 0
    for (const chunk of this.#chunks) {
      if (this.#start + chunk.byteLength > until) break
      this.#start += chunk.byteLength
      this.#bytes -= chunk.byteLength
      gone++
    }
    this.#chunks.splice(0, gone)
  }
}
