/** A stretch of a body in memory, chunk by chunk. */
export class Chunks {
  readonly #chunks: Buffer[] = []
  /** Where in the body each of them ends. */
  readonly #ends: number[] = []
  #start: number

  /** @param start where in the body the first chunk will lie */
  constructor(start = 0) {
    this.#start = start
  }

  get bytes(): number {
    return this.#end - this.#start
  }

  get #end(): number {
    return this.#ends.at(-1) ?? this.#start
  }

  push(chunk: Buffer): void {
    if (chunk.byteLength === 0) return
    this.#ends.push(this.#end + chunk.byteLength)
    this.#chunks.push(chunk)
  }

  /** The first chunks, `most` at most. */
  first(most: number = Number.POSITIVE_INFINITY): readonly Buffer[] {
    return this.#chunks.slice(0, most)
  }

  /** What is there from a place on, to the end of its chunk; `undefined` when that is elsewhere, or has not come yet. */
  at(place: number): Buffer | undefined {
    if (place < this.#start || place >= this.#end) return undefined
    const found = this.#firstAfter(place)
    const chunk = this.#chunks[found]
    return chunk?.subarray(chunk.byteLength - ((this.#ends[found] ?? 0) - place))
  }

  /** Forgets the chunks that lie before a place. */
  forget(until: number): void {
    const gone = this.#firstAfter(until)
    if (gone === 0) return
    this.#start = this.#ends[gone - 1] ?? this.#start
    this.#chunks.splice(0, gone)
    this.#ends.splice(0, gone)
  }

  /** Forgets the oldest chunks until the others have this many bytes at most. */
  shrink(most: number): void {
    const gone = this.#end - most
    if (gone > this.#start) this.forget(this.#ends[this.#firstAfter(gone - 1)] ?? gone)
  }

  /** The first chunk that goes beyond a place; there may be very many, and small ones. */
  #firstAfter(place: number): number {
    let [low, high] = [0, this.#ends.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#ends[middle] ?? 0) > place) high = middle
      else low = middle + 1
    }
    return low
  }
}
