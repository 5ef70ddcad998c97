import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { GrowingFile } from '../engine/for-doors.js'

/** Bytes that are read of a file at a time. */
const CHUNK = 2 ** 18
/** How far the slowest reader may be behind where there is no file to read from: then the source has to wait. */
const WINDOW = 2 ** 20

/** Where a file comes from and goes to. */
export interface IntakeOptions {
  /** Absent: nothing is stored, and it is handed through to those who read. */
  readonly file: GrowingFile | undefined
  /** Bytes that can be stored. A longer source is handed through. */
  readonly limit: number
  /** Bytes that were promised; another length is an error. */
  readonly size: number | undefined
  /** The file cannot be written; what comes from here on is handed through. */
  readonly onSpill: (error: unknown) => void
}

/** One who reads an intake. The source waits for it where there is no file. */
export interface Reader {
  at: number
}

/**
 * A file on its way into the cache, which many read while it arrives, each at its own pace. As long as it can be written
 * to disk nobody waits for anybody. When it cannot, because the disk is full or it is larger than the cache, those who
 * read get it all the same: then the source waits for the slowest of them, and nothing is stored.
 */
export class Intake {
  /** Fulfilled with the hash of all bytes when they are in the file, with `undefined` when they are not kept; rejected when the source fails. */
  readonly ended: Promise<Buffer | undefined>
  /** Fulfilled when it is handed through from now on; perhaps never. */
  readonly spilled: Promise<void>
  #spill: () => void = () => undefined
  readonly #source: Readable
  readonly #options: IntakeOptions
  readonly #readers = new Set<Reader>()
  readonly #wakers = new Set<() => void>()
  readonly #hash = createHash('sha256')
  /** Bytes that came after those in the file; none while they go there. */
  #window: Buffer[] = []
  /** Where the window begins. */
  #kept = 0
  #size = 0
  #isSpilled: boolean
  #end: 'complete' | 'failed' | undefined
  #error: unknown
  #isClosed = false

  constructor(source: Readable, options: IntakeOptions) {
    this.#source = source
    this.#options = options
    this.spilled = new Promise(resolve => {
      this.#spill = resolve
    })
    this.#isSpilled = options.file === undefined
    if (this.#isSpilled) this.#spill()
    this.ended = this.#run()
    // Whoever reads learns of it; nobody need be listening here.
    this.ended.catch(() => undefined)
  }

  /** Whether all of it can be had from its beginning. */
  get isWhole(): boolean {
    return !this.#isClosed && this.#end !== 'failed' && this.#kept === (this.#options.file?.size ?? 0)
  }

  /** Takes a place among those who read, so that nothing from `at` on is given up. To be given back with `leave`. */
  join(at = 0): Reader {
    const reader = { at }
    this.#readers.add(reader)
    return reader
  }

  leave(reader: Reader): void {
    this.#readers.delete(reader)
    this.#wake()
    this.#free()
  }

  /** From the place of the reader to `last`, as it arrives. Gives the place back. */
  async *read(reader: Reader, last: number = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer, void, undefined> {
    try {
      while (reader.at <= last) {
        const chunk = await this.#chunkAt(reader.at, last)
        if (chunk) {
          reader.at += chunk.byteLength
          this.#wake()
          yield chunk
        } else if (this.#end === 'complete') return
        else if (this.#end === 'failed') throw this.#error
        else await this.#news()
      }
    } finally {
      this.leave(reader)
    }
  }

  /** Frees what it holds, as soon as nobody reads it any more. */
  close(): void {
    this.#isClosed = true
    this.#free()
  }

  async #run(): Promise<Buffer | undefined> {
    // Whoever begins it joins in this turn: only then it is known whether anybody reads.
    await undefined
    try {
      for await (const chunk of this.#source) await this.#take(bytesOf(chunk))
      const { size } = this.#options
      if (size !== undefined && size !== this.#size) {
        throw new RangeError(`fill: ${size} bytes were promised, and ${this.#size} came`)
      }
      this.#end = 'complete'
      return this.#isSpilled ? undefined : this.#hash.digest()
    } catch (error) {
      this.#end = 'failed'
      this.#error = error
      throw error
    } finally {
      this.#wake()
    }
  }

  async #take(bytes: Buffer): Promise<void> {
    this.#size += bytes.byteLength
    const { size } = this.#options
    if (size !== undefined && this.#size > size) {
      throw new RangeError(`fill: ${size} bytes were promised, and more came`)
    }
    const rest = await this.#write(bytes)
    this.#wake()
    if (rest.byteLength === 0) return
    this.#window.push(rest)
    await this.#room()
  }

  /** Answers what did not go into the file. */
  async #write(bytes: Buffer): Promise<Buffer> {
    const { file, limit, onSpill } = this.#options
    if (this.#isSpilled || !file) return bytes
    const before = file.size
    try {
      if (this.#size <= limit) {
        await file.append(bytes)
        this.#hash.update(bytes)
        this.#kept = file.size
        return Buffer.alloc(0)
      }
      onSpill(undefined)
    } catch (error) {
      onSpill(error)
    }
    this.#isSpilled = true
    this.#spill()
    this.#kept = file.size
    return bytes.subarray(file.size - before)
  }

  /** Waits until what is kept in memory is little. When nobody reads any more it is not needed. */
  async #room(): Promise<void> {
    for (;;) {
      if (this.#readers.size === 0) throw new Error('fill: nobody reads it, and it cannot be stored')
      this.#forget(Math.min(...[...this.#readers].map(({ at }) => at)))
      if (this.#window.reduce((sum, { byteLength }) => sum + byteLength, 0) < WINDOW) return
      await this.#news()
    }
  }

  /** Gives up what all have read. */
  #forget(until: number): void {
    for (let first = this.#window[0]; first && this.#kept + first.byteLength <= until; first = this.#window[0]) {
      this.#window.shift()
      this.#kept += first.byteLength
    }
  }

  async #chunkAt(at: number, last: number): Promise<Buffer | undefined> {
    const { file } = this.#options
    if (file && at < file.size) {
      const length = Math.min(CHUNK, file.size - at, last - at + 1)
      const { buffer, bytesRead } = await file.handle.read(Buffer.allocUnsafeSlow(length), 0, length, at)
      if (bytesRead === 0) throw new RangeError(`the file ended at ${at} of ${file.size} bytes`)
      return buffer.subarray(0, bytesRead)
    }
    let start = this.#kept
    if (at < start) throw new RangeError('fill: its beginning is not kept any more')
    for (const chunk of this.#window) {
      if (at < start + chunk.byteLength) return chunk.subarray(at - start, last - start + 1)
      start += chunk.byteLength
    }
    return undefined
  }

  #free(): void {
    if (!this.#isClosed || this.#readers.size > 0) return
    this.#window = []
    this.#options.file?.handle.close().catch(() => undefined)
  }

  #news(): Promise<void> {
    return new Promise(resolve => this.#wakers.add(resolve))
  }

  #wake(): void {
    const wakers = [...this.#wakers]
    this.#wakers.clear()
    for (const wake of wakers) wake()
  }
}

/** @throws TypeError for chunks that are neither text nor bytes */
function bytesOf(chunk: unknown): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk
  if (typeof chunk === 'string') return Buffer.from(chunk)
  if (chunk instanceof Uint8Array) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  throw new TypeError(`fill: a stream must be of bytes or text, got ${typeof chunk}`)
}

/** What `fill` answered as a stream of Node's, listened to from now on: it may fail before it is read. */
export function toReadable(source: unknown): Readable | undefined {
  if (source instanceof Readable) return watched(source)
  if (source instanceof Blob) return watched(Readable.fromWeb(source.stream() as never))
  if (source instanceof globalThis.ReadableStream) return watched(Readable.fromWeb(source as never))
  const isLegacy = typeof source === 'object' && source !== null && 'pipe' in source && Symbol.asyncIterator in source
  return isLegacy ? watched(Readable.from(source as AsyncIterable<unknown>)) : undefined
}

/** @throws TypeError when it was read already: nothing would be sent */
function watched(source: Readable): Readable {
  source.on('error', () => undefined)
  if (Readable.isDisturbed(source) && !source.errored) {
    throw new TypeError('fill: the stream has been read already, or has ended')
  }
  return source
}
