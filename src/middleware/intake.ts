import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { type GrowingFile, kindOf } from '../engine/for-doors.js'
import { withResolvers } from '../engine/newer-node.js'
import { isChunk, toBuffer } from './chunks.js'
import { News } from './news.js'

/** Bytes per read of a file. */
const CHUNK = 2 ** 18
/** How far the slowest reader may be behind without a file, before the source has to wait. Bytes. */
const WINDOW = 2 ** 20

/** Options of an intake. */
export interface IntakeOptions {
  /** The file to write. Absent: nothing is stored, and the source is passed through to the readers. */
  readonly file: GrowingFile | undefined
  /** Limit of the stored bytes. A longer source is passed through. */
  readonly limit: number
  /** The announced size. Another length is an error. */
  readonly size: number | undefined
  /** Called when the file cannot be written. The rest is then passed through. */
  readonly onSpill: (error: unknown) => void
}

/** A reader of an intake. Without a file the source waits for it. */
export interface Reader {
  at: number
}

/**
 * A file on its way into the cache, with readers that each have their own pace. While it can be written to disk, nobody
 * waits for anybody. When it cannot, because the disk is full or the file is larger than the cache, the readers still
 * get it, but the source waits for the slowest of them and nothing is stored.
 */
export class Intake {
  /**
   * Resolves to the hash of the complete file, or to `undefined` when it is not kept. Rejects when the source fails.
   */
  readonly ended: Promise<Buffer | undefined>
  /** Resolves when the source is passed through from now on, which may never happen. */
  readonly spilled: Promise<void>
  readonly #spilling = withResolvers<void>()
  readonly #source: Readable
  readonly #options: IntakeOptions
  readonly #readers = new Set<Reader>()
  readonly #news = new News()
  readonly #hash = createHash('sha256')
  /** Bytes after those in the file. Empty while the file is written. */
  #window: Buffer[] = []
  /** The position at which the window begins. */
  #kept = 0
  #size = 0
  #isSpilled: boolean
  #end: 'complete' | 'failed' | undefined
  #error: unknown
  #isClosed = false

  constructor(source: Readable, options: IntakeOptions) {
    this.#source = source
    this.#options = options
    this.spilled = this.#spilling.promise
    this.#isSpilled = options.file === undefined
    if (this.#isSpilled) this.#spilling.resolve()
    this.ended = this.#run()
    // Readers get the error. Without this it would also be an unhandled rejection.
    this.ended.catch(() => undefined)
  }

  /** Whether the file can be read from its beginning. */
  get isWhole(): boolean {
    return !this.#isClosed && this.#end !== 'failed' && this.#kept === (this.#options.file?.size ?? 0)
  }

  /** Adds a reader, so that the bytes from `at` on are kept. Remove it with `leave`. */
  join(at = 0): Reader {
    const reader = { at }
    this.#readers.add(reader)
    return reader
  }

  leave(reader: Reader): void {
    this.#readers.delete(reader)
    this.#news.tell()
    this.#free()
  }

  /** Reads from the position of a reader to `last` while the file arrives, then removes the reader. */
  async *read(reader: Reader, last: number = Number.POSITIVE_INFINITY): AsyncGenerator<Buffer, void, undefined> {
    try {
      while (reader.at <= last) {
        const { count } = this.#news
        const chunk = await this.#chunkAt(reader.at, Math.min(last, this.#sure))
        if (chunk) {
          reader.at += chunk.byteLength
          this.#news.tell()
          yield chunk
        } else if (this.#end === 'complete') return
        else if (this.#end === 'failed') throw this.#error
        // Changes during the search count, since they have woken nobody.
        else await this.#news.after(count)
      }
    } finally {
      this.leave(reader)
    }
  }

  /**
   * The last position that readers may have by now. The last byte of what was promised waits for the end of the source:
   * if more came after it, readers would take a part for the whole.
   */
  get #sure(): number {
    const { size } = this.#options
    return size === undefined || this.#end === 'complete' ? Number.POSITIVE_INFINITY : size - 2
  }

  /** Frees its resources when nobody reads it any more. */
  close(): void {
    this.#isClosed = true
    this.#free()
  }

  async #run(): Promise<Buffer | undefined> {
    // The caller that starts it joins in this turn. Only then is it known whether anybody reads.
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
      this.#news.tell()
    }
  }

  async #take(bytes: Buffer): Promise<void> {
    this.#size += bytes.byteLength
    const { size } = this.#options
    if (size !== undefined && this.#size > size) {
      throw new RangeError(`fill: ${size} bytes were promised, and more came`)
    }
    const rest = await this.#write(bytes)
    this.#news.tell()
    if (rest.byteLength === 0) return
    this.#window.push(rest)
    await this.#room()
  }

  /** Writes bytes to the file. Resolves to the part that was not written. */
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
    this.#spilling.resolve()
    this.#kept = file.size
    return bytes.subarray(file.size - before)
  }

  /** Waits until little is kept in memory, unless nobody reads any more. Readers wait for the end themselves. */
  async #room(): Promise<void> {
    while (this.#size !== this.#options.size) {
      const { count } = this.#news
      if (this.#readers.size === 0) throw new Error('fill: nobody reads it, and it cannot be stored')
      this.#forget(Math.min(...[...this.#readers].map(({ at }) => at)))
      if (this.#window.reduce((sum, { byteLength }) => sum + byteLength, 0) < WINDOW) return
      await this.#news.after(count)
    }
  }

  /** Drops the bytes that all readers have read. */
  #forget(until: number): void {
    for (let first = this.#window[0]; first && this.#kept + first.byteLength <= until; first = this.#window[0]) {
      this.#window.shift()
      this.#kept += first.byteLength
    }
  }

  async #chunkAt(at: number, last: number): Promise<Buffer | undefined> {
    const { file } = this.#options
    if (at > last) return undefined
    if (file && at < file.size) {
      return file.read(at, Math.min(CHUNK, file.size - at, last - at + 1))
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
}

/** The bytes of a chunk. @throws TypeError when it is neither text nor bytes */
function bytesOf(chunk: unknown): Buffer {
  if (isChunk(chunk)) return toBuffer(chunk, 'utf8')
  throw new TypeError(`fill: a stream must be of bytes or text, got ${kindOf(chunk)}`)
}

/** Converts a result of `fill` to a Readable and listens to its errors, since it may fail before it is read. */
export function toReadable(source: unknown): Readable | undefined {
  if (source instanceof Readable) return watched(source)
  if (source instanceof Blob) return watched(Readable.fromWeb(source.stream() as never))
  if (source instanceof globalThis.ReadableStream) return watched(Readable.fromWeb(source as never))
  const isLegacy = typeof source === 'object' && source !== null && 'pipe' in source && Symbol.asyncIterator in source
  return isLegacy ? watched(Readable.from(source as AsyncIterable<unknown>)) : undefined
}

/** Listens to the errors of a stream. @throws TypeError when it was read already, so that nothing would be sent */
function watched(source: Readable): Readable {
  source.on('error', () => undefined)
  if (Readable.isDisturbed(source) && !source.errored) {
    throw new TypeError('fill: the stream has been read already, or has ended')
  }
  return source
}
