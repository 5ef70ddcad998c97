import type { DoorStore, GrowingFile } from '../engine/for-doors.js'
import type { Settings } from './options.js'
import { fieldValue } from './policy/fields.js'
import type { ResponseHead } from './policy/message.js'
import type { BodySink } from './recorder.js'

/** Kept in memory of a body that goes to a file, for those who wait: a disk that is full then cuts off nobody. */
const MEMORY_BYTES = 2 ** 20
/** What may wait to be written: a disk that is slower than the handler must not cost memory. */
const MOST_WAITING = 32 * 2 ** 20

/** Chunks that are written at once. */
const MOST_AT_ONCE = 512

/** What bounds a body. */
export interface SpoolBounds {
  /** Above this the body goes to a file. */
  readonly inline: number
  /** Above this it is not stored. */
  readonly most: number
  /** What the head promised; another length is an error. */
  readonly length: number | undefined
}

/** The bounds of the body of an answer that will lie at a key. */
export function boundsOf(
  store: DoorStore,
  { maxEntrySize }: Settings,
  at: string,
  { fields }: ResponseHead,
): SpoolBounds {
  const length = fieldValue(fields, 'Content-Length')
  return {
    inline: Math.max(0, store.fileSize(at) - 2048),
    most: Math.min(maxEntrySize, store.sizeLimit(at) / 2),
    length: length !== undefined && /^\d+$/.test(length) ? Number(length) : undefined,
  }
}

/** How the recording of a body ended: complete, incomplete (the handler or client broke off), or not to be stored. */
export type SpoolEnd = 'complete' | 'broken' | 'unstorable'

/**
 * The body of an answer on its way to the cache. It never holds up who writes it: what the disk does not take in time is
 * given up. Others can read it from its beginning while it grows.
 */
export class Spool implements BodySink {
  /** Settles when nothing more comes: then a file, if there is one, is written to its end. */
  readonly ended: Promise<SpoolEnd>
  readonly #store: DoorStore
  readonly #key: string
  readonly #bounds: SpoolBounds
  readonly #wakers = new Set<() => void>()
  #settle: (end: SpoolEnd) => void = () => undefined
  #memory: Buffer[] | undefined = []
  #queue: Buffer[] = []
  #isSpilling = false
  #waiting = 0
  #size = 0
  #writing: Promise<void> | undefined
  #file: GrowingFile | undefined
  #isStorable = true
  #end: 'complete' | 'broken' | undefined
  #readers = 0
  #changes = 0
  #closed = false

  constructor(store: DoorStore, key: string, bounds: SpoolBounds) {
    this.#store = store
    this.#key = key
    this.#bounds = bounds
    this.ended = new Promise(resolve => {
      this.#settle = resolve
    })
    if (bounds.length !== undefined && bounds.length > bounds.most) this.#isStorable = false
  }

  get size(): number {
    return this.#size
  }

  /** Nothing more comes. */
  get isOver(): boolean {
    return this.#end !== undefined
  }

  /** The whole body, when it is small. */
  get bytes(): Buffer | undefined {
    return this.#file || !this.#memory || this.#size > this.#bounds.inline ? undefined : Buffer.concat(this.#memory)
  }

  /** The file of a body that is not small. */
  get file(): GrowingFile | undefined {
    return this.#file
  }

  /** Whether it will be stored, as far as is known. */
  get isStorable(): boolean {
    return this.#isStorable
  }

  /** Whether those who come now can have the body from its beginning. */
  get canBeRead(): boolean {
    return !this.#closed && this.#isStorable
  }

  write(chunk: Buffer): void {
    if (this.#end) return
    this.#size += chunk.byteLength
    const { most, length } = this.#bounds
    if (this.#size > most || (length !== undefined && this.#size > length)) this.#giveUp()
    // Whoever writes it may use its memory again when the client has it.
    const own = Buffer.from(chunk)
    if (this.#isStorable) this.#keep(own)
    if (this.#memory && this.#size <= MEMORY_BYTES) this.#memory.push(own)
    else if (!this.#isStorable) this.#memory = undefined
    this.#wake()
  }

  end(): void {
    if (this.#end) return
    const { length } = this.#bounds
    this.#finish(length !== undefined && length !== this.#size ? 'broken' : 'complete')
  }

  abort(): void {
    if (!this.#end) this.#finish('broken')
  }

  /** Frees what it holds, as soon as nobody reads it any more. */
  close(): void {
    this.#closed = true
    this.#free()
  }

  /**
   * The body from its beginning, as it grows; ends when it is complete.
   *
   * @throws when the body breaks off, or its earlier part is gone
   */
  async *read(): AsyncGenerator<Buffer, void, undefined> {
    this.#readers++
    try {
      for (let at = 0; ; ) {
        const changes = this.#changes
        const chunk = await this.#chunkAt(at)
        if (chunk) {
          at += chunk.byteLength
          yield chunk
        } else if (this.#end === 'complete' && at === this.#size) return
        else if (this.#end === 'broken') throw new Error('the answer broke off')
        // What came while it was looked for has woken nobody.
        else if (changes === this.#changes) await this.#news()
      }
    } finally {
      this.#readers--
      this.#free()
    }
  }

  async #chunkAt(at: number): Promise<Buffer | undefined> {
    const { handle, size = 0 } = this.#file ?? {}
    if (handle && at < size && this.#memory === undefined) {
      const buffer = Buffer.allocUnsafe(Math.min(2 ** 16, size - at))
      const { bytesRead } = await handle.read(buffer, 0, buffer.byteLength, at)
      return buffer.subarray(0, bytesRead)
    }
    if (this.#memory) {
      let start = 0
      for (const chunk of this.#memory) {
        if (at < start + chunk.byteLength) return chunk.subarray(at - start)
        start += chunk.byteLength
      }
      if (at < size) return this.#fromFile(at, size)
      return undefined
    }
    if (!this.#isStorable && at < this.#size) throw new Error('the body is not kept')
    return undefined
  }

  async #fromFile(at: number, size: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(Math.min(2 ** 16, size - at))
    const read = await this.#file?.handle.read(buffer, 0, buffer.byteLength, at)
    return buffer.subarray(0, read?.bytesRead ?? 0)
  }

  #keep(chunk: Buffer): void {
    if (this.#size <= this.#bounds.inline) return
    if (!this.#isSpilling) this.#queue = [...(this.#memory ?? [])]
    this.#isSpilling = true
    this.#queue.push(chunk)
    this.#waiting += chunk.byteLength
    if (this.#waiting > MOST_WAITING) return this.#giveUp()
    this.#writing ??= this.#drain()
  }

  async #drain(): Promise<void> {
    try {
      this.#file ??= await this.#store.createFile(this.#key)
      while (this.#queue.length > 0 && this.#isStorable) {
        await this.#file.appendAll(this.#queue.splice(0, MOST_AT_ONCE))
        this.#waiting = this.#queue.reduce((sum, one) => sum + one.byteLength, 0)
        this.#wake()
      }
    } catch (error) {
      this.#store.tell(error)
      this.#giveUp()
    } finally {
      this.#writing = undefined
    }
  }

  /** The body is not stored. Those who read it go on as long as memory has it. */
  #giveUp(): void {
    this.#isStorable = false
    this.#queue = []
    this.#waiting = 0
    this.#file?.abandon()
    if (this.#size > MEMORY_BYTES) this.#memory = undefined
    this.#wake()
  }

  #finish(end: 'complete' | 'broken'): void {
    this.#end = end
    this.#wake()
    const settle = (): void => {
      if (end === 'broken') this.#file?.abandon()
      this.#settle(end === 'broken' ? 'broken' : this.#isStorable ? 'complete' : 'unstorable')
      this.#wake()
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
    this.#memory = undefined
    const file = this.#file
    this.#file = undefined
    file?.handle.close().catch(() => undefined)
  }

  #news(): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        this.#wakers.delete(wake)
        resolve()
      }
      this.#wakers.add(wake)
    })
  }

  #wake(): void {
    this.#changes++
    for (const wake of [...this.#wakers]) wake()
  }
}
