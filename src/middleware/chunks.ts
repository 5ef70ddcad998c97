/** A contiguous part of a body in memory, as chunks. */
export class Chunks {
  readonly #chunks: Buffer[] = []
  /** The position in the body at which each chunk ends. */
  readonly #ends: number[] = []
  #start: number

  /** @param start the position of the first chunk in the body */
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

  /** Returns the first chunks, at most `most` of them. */
  first(most: number = Number.POSITIVE_INFINITY): readonly Buffer[] {
    return this.#chunks.slice(0, most)
  }

  /** Returns the bytes from a position to the end of its chunk. `undefined` when the position is outside. */
  at(place: number): Buffer | undefined {
    if (place < this.#start || place >= this.#end) return undefined
    const found = this.#firstAfter(place)
    const chunk = this.#chunks[found]
    return chunk?.subarray(chunk.byteLength - ((this.#ends[found] ?? 0) - place))
  }

  /** Drops the chunks before a position. */
  forget(until: number): void {
    const gone = this.#firstAfter(until)
    if (gone === 0) return
    this.#start = this.#ends[gone - 1] ?? this.#start
    this.#chunks.splice(0, gone)
    this.#ends.splice(0, gone)
  }

  /** Drops the oldest chunks until at most this many bytes are left. */
  shrink(most: number): void {
    const gone = this.#end - most
    if (gone > this.#start) this.forget(this.#ends[this.#firstAfter(gone - 1)] ?? gone)
  }

  /** Finds the first chunk that extends beyond a position, by binary search, since there may be very many. */
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

/** Whether something can be written to a response. */
export function isChunk(chunk: unknown): chunk is string | Uint8Array {
  return typeof chunk === 'string' || chunk instanceof Uint8Array
}

/** The bytes of what is written to a response. */
export function toBuffer(chunk: string | Uint8Array, encoding: unknown): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as 'utf8') : 'utf8')
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}
