import type { DoorStore, GrowingFile } from '../engine/for-doors.js'
import { withResolvers } from '../engine/newer-node.js'
import type { BodySink } from './body-sink.js'
import { Chunks } from './chunks.js'
import type { Followed } from './detour.js'
import { DiskPace } from './disk-pace.js'
import { News } from './news.js'
import { Owed } from './owed.js'
import type { SpoolBounds } from './spool-bounds.js'

/** Bytes of a body that stay in memory beside its file, for requests that join it. */
const MEMORY_BYTES = 2 ** 20
/** Limit of bytes that wait to be written, since a handler that does not wait for the disk must not exhaust memory. */
const MOST_WAITING = 32 * 2 ** 20
/** Bytes kept for requests that have joined a body that is not stored. A slower reader is cut off. */
const MOST_KEPT = MOST_WAITING + 16 * 2 ** 20

/** Bytes that the client of the handler may be behind before the handler has to wait. */
const MOST_OWED = 4 * 2 ** 20

/** Limit of chunks in one write. */
const MOST_AT_ONCE = 512

/** How the recording of a body ended: complete, broken off by the handler or client, or not storable. */
export type SpoolEnd = 'complete' | 'broken' | 'unstorable'

/**
 * The body of an answer on its way to the cache. It asks its writer to wait for a slow disk; when the writer does not,
 * or the disk takes nothing, storing is given up. Others can read it from its beginning while it grows.
 */
export class Spool implements BodySink {
  /** Resolves at the end, when a file, if there is one, is completely written. */
  readonly ended: Promise<SpoolEnd>
  readonly #store: DoorStore
  readonly #key: string
  readonly #bounds: SpoolBounds
  readonly #news = new News()
  readonly #ending = withResolvers<SpoolEnd>()
  /** The beginning. */
  #memory = new Chunks()
  /** The bytes that are in no file yet. */
  #queue = new Chunks()
  /** The positions of its readers. */
  readonly #places = new Set<{ at: number }>()
  #size = 0
  #writing: Promise<void> | undefined
  #file: GrowingFile | undefined
  #isStorable = true
  #end: 'complete' | 'broken' | undefined
  #readers = 0
  #owed: Owed | undefined
  readonly #pace = new DiskPace(() => this.forgo())
  #isStalled = false
  #closed = false

  constructor(store: DoorStore, key: string, bounds: SpoolBounds) {
    this.#store = store
    this.#key = key
    this.#bounds = bounds
    this.ended = this.#ending.promise
    if (bounds.length !== undefined && bounds.length > bounds.most) this.#isStorable = false
  }

  /** Whether the body has ended. */
  get isOver(): boolean {
    return this.#end !== undefined
  }

  /** The whole body, if it is small. */
  get bytes(): Buffer | undefined {
    const isSmall = !this.#file && this.#size <= this.#bounds.inline && this.#queue.bytes === this.#size
    return isSmall ? Buffer.concat(this.#queue.first()) : undefined
  }

  /** The file of a body that is not small. */
  get file(): GrowingFile | undefined {
    return this.#file
  }

  /** Whether it will be stored, as far as is known. */
  get isStorable(): boolean {
    return this.#isStorable
  }

  /** Whether a new request can read the body from its beginning. */
  get canBeRead(): boolean {
    return !this.#closed && this.#isStorable && this.#end !== 'broken'
  }

  write(chunk: Buffer): void {
    if (this.#end) return
    this.#size += chunk.byteLength
    const { most, length } = this.#bounds
    if (!this.#isStorable && this.#places.size === 0 && !this.#owed) return
    // A copy, since the writer may reuse its buffer.
    const own = Buffer.from(chunk)
    this.#owed?.push(own)
    if (this.#isStorable || this.#places.size > 0) {
      this.#queue.push(own)
      if (this.#size <= MEMORY_BYTES) this.#memory.push(own)
    }
    if (this.#size > most || (length !== undefined && this.#size > length)) this.forgo()
    if (this.#isStorable) this.#spill()
    else this.#trim()
    this.#news.tell()
  }

  hasRoom(onRoom: () => void): boolean {
    // What may still lie in a row waits for no disk.
    if (!this.#isStorable || !this.#writing) return true
    return this.#pace.hasRoom(this.#queue.bytes, onRoom)
  }

  end(): void {
    if (this.#end) return
    const { length } = this.#bounds
    this.#finish(length !== undefined && length !== this.#size ? 'broken' : 'complete')
  }

  abort(): void {
    // Who has all of its length may leave before the handler says that it has ended.
    if (!this.#end) this.#finish(this.#size === this.#bounds.length ? 'complete' : 'broken')
  }

  /** Frees its resources when nobody reads it any more. */
  close(): void {
    this.#closed = true
    this.#free()
  }

  /**
   * Reads the body from its beginning while it grows. Ends when it is complete, whether it is stored or not.
   *
   * @throws Error when the body breaks off, or when it is not stored and the reader is too slow for the part in memory
   */
  async *read(): AsyncGenerator<Buffer, void, undefined> {
    this.#readers++
    const place = { at: 0 }
    this.#places.add(place)
    try {
      for (;;) {
        const { count } = this.#news
        const chunk = await this.#chunkAt(place.at)
        if (chunk) {
          place.at += chunk.byteLength
          yield chunk
        } else if (this.#end === 'complete' && place.at === this.#size) return
        else if (this.#end === 'broken') throw new Error('the answer broke off')
        // Changes during the search count, since they have woken nobody.
        else await this.#news.after(count)
      }
    } finally {
      this.#readers--
      this.#places.delete(place)
      if (!this.#isStorable) this.#trim()
      this.#free()
    }
  }

  /**
   * Returns the rest of the body for the client of the handler, which gets it even if it is not stored: bytes that the
   * disk does not take stay in memory, and the handler waits. Only one reader may follow. `undefined` when the body is
   * not stored and nobody else waits for it.
   */
  follow(onRoom: () => void): Followed | undefined {
    if ((!this.#isStorable && this.#places.size === 0) || this.#owed) return undefined
    const owed = new Owed(this.#size, { most: () => this.#mostOwed, onRoom, onStall: () => this.#stall() })
    this.#owed = owed
    return { body: this.#following(owed, this.#size), hasRoom: () => owed.hasRoom() }
  }

  async *#following(owed: Owed, start: number): AsyncGenerator<Buffer, void, undefined> {
    this.#readers++
    try {
      for (let at = start; ; ) {
        const { count } = this.#news
        const chunk = owed.at(at) ?? (await this.#fromFile(at))
        if (chunk) {
          yield chunk
          at += chunk.byteLength
          owed.forget(at)
        } else if (this.#end && at === this.#size) return
        else await this.#news.after(count)
      }
    } finally {
      owed.close()
      this.#owed = undefined
      this.#readers--
      this.#free()
    }
  }

  /** The limit of owed bytes. It is higher without storing, since joined requests then depend on the handler. */
  get #mostOwed(): number {
    return this.#isStorable || this.#places.size === 0 ? MOST_OWED : MOST_KEPT
  }

  /** Releases joined requests when the handler waits for a client that reads nothing. */
  #stall(): void {
    this.#isStalled = !this.#isStorable
    this.#news.tell()
  }

  async #chunkAt(at: number): Promise<Buffer | undefined> {
    const chunk = this.#memory.at(at) ?? this.#queue.at(at)
    if (chunk) return chunk
    const read = this.#fromFile(at)
    if (read) return read
    if (at < this.#size || (this.#isStalled && !this.#end)) throw new Error('the body is not kept so long')
    return undefined
  }

  /** Reads from the file. `undefined` when it does not reach so far. */
  #fromFile(at: number): Promise<Buffer> | undefined {
    const file = this.#file
    return file && at < file.size ? file.read(at, Math.min(2 ** 16, file.size - at)) : undefined
  }

  #spill(): void {
    const { inline } = this.#bounds
    if (this.#size <= inline) return
    if (this.#queue.bytes > Math.max(MOST_WAITING, 2 * inline)) this.forgo()
    else this.#writing ??= this.#drain()
  }

  /** Drops bytes that all joined requests of an unstored body have got. */
  #trim(): void {
    let least = this.#size
    for (const { at } of this.#places) least = Math.min(least, at)
    this.#queue.forget(least)
    this.#queue.shrink(MOST_KEPT)
  }

  async #drain(): Promise<void> {
    try {
      this.#file ??= await this.#store.createFile(this.#key)
      while (this.#queue.bytes > 0 && this.#isStorable) {
        await this.#file.appendAll(this.#queue.first(MOST_AT_ONCE))
        this.#queue.forget(this.#file.size)
        this.#owed?.forget(this.#file.size)
        this.#pace.moved(this.#queue.bytes)
        this.#news.tell()
      }
    } catch (error) {
      this.#store.tell(error)
      this.forgo()
    } finally {
      this.#writing = undefined
    }
  }

  /** Gives up storing. Readers continue with the bytes in the file and those in memory after it. */
  forgo(): void {
    if (!this.#isStorable) return
    this.#isStorable = false
    this.#file?.abandon()
    this.#trim()
    this.#owed?.review()
    this.#pace.release()
    this.#news.tell()
  }

  #finish(end: 'complete' | 'broken'): void {
    this.#end = end
    this.#pace.release()
    this.#news.tell()
    const settle = (): void => {
      if (end === 'broken') this.#file?.abandon()
      this.#ending.resolve(end === 'broken' ? 'broken' : this.#isStorable ? 'complete' : 'unstorable')
      this.#news.tell()
    }
    if (this.#writing) void this.#settleAfterWriting(settle)
    else settle()
  }

  async #settleAfterWriting(settle: () => void): Promise<void> {
    while (this.#writing) await this.#writing
    settle()
  }

  #free(): void {
    if (!this.#closed || this.#readers > 0) return
    this.#memory = new Chunks()
    this.#queue = new Chunks()
    const file = this.#file
    this.#file = undefined
    file?.handle.close().catch(() => undefined)
  }
}
