import type { DoorStore, GrowingFile } from '../engine/for-doors.js'
import type { Followed } from './detour.js'
import { Owed } from './owed.js'
import type { BodySink } from './recorder.js'
import type { SpoolBounds } from './spool-bounds.js'

/** Kept in memory of a body that goes to a file, for those who wait: a disk that is full then cuts off nobody. */
const MEMORY_BYTES = 2 ** 20
/** What may wait to be written: a disk that is slower than the handler must not cost memory. */
const MOST_WAITING = 32 * 2 ** 20

/** What may be owed to the client of the handler before that has to wait. */
const MOST_OWED = 4 * 2 ** 20

/** Chunks that are written at once. */
const MOST_AT_ONCE = 512

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
  #owed: Owed | undefined
  #onRoom: (() => void) | undefined
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
    this.#owed?.push(own)
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

  /**
   * The rest of the body for the client of the handler, who gets it even when it is not stored after all: what the disk
   * does not take stays in memory, and the handler waits. Nobody else may follow. `undefined` when it is not stored.
   */
  follow(onRoom: () => void): Followed | undefined {
    if (!this.#isStorable || this.#owed) return undefined
    const owed = new Owed(this.#size)
    this.#owed = owed
    this.#onRoom = onRoom
    return { body: this.#following(owed, this.#size), hasRoom: () => owed.bytes < MOST_OWED }
  }

  async *#following(owed: Owed, start: number): AsyncGenerator<Buffer, void, undefined> {
    this.#readers++
    try {
      for (let at = start; ; ) {
        const changes = this.#changes
        const { size = 0 } = this.#file ?? {}
        const chunk = owed.at(at) ?? (at < size ? await this.#fromFile(at, size) : undefined)
        if (chunk) {
          yield chunk
          at += chunk.byteLength
          this.#forget(at)
        } else if (this.#end && at === this.#size) return
        else if (changes === this.#changes) await this.#news()
      }
    } finally {
      this.#owed = undefined
      this.#readers--
      this.#free()
    }
  }

  /** What is in the file, or was sent, need not be kept. */
  #forget(until: number): void {
    const owed = this.#owed
    const isFull = owed && owed.bytes >= MOST_OWED
    owed?.forget(until)
    if (isFull && owed.bytes < MOST_OWED) this.#onRoom?.()
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
        this.#forget(this.#file.size)
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
