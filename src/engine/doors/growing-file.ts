import type { FileHandle } from 'node:fs/promises'
import type { PendingFile } from '../disk/pending-file.js'
import type { Shard } from '../shards/shard.js'
import { cutShort } from '../verbs/file-stream.js'
import { writeWithRoom } from '../verbs/value-source.js'

/** A file that is written in parts and can be read meanwhile. `DoorStore.land` puts it into the cache. */
export class GrowingFile {
  readonly handle: FileHandle
  readonly #shard: Shard
  readonly #temporary: string
  #size = 0
  #taken = false

  private constructor(shard: Shard, temporary: string, handle: FileHandle) {
    this.#shard = shard
    this.#temporary = temporary
    this.handle = handle
  }

  static async create(shard: Shard): Promise<GrowingFile> {
    try {
      const { temporary, handle } = await shard.disk.files.create()
      return new GrowingFile(shard, temporary, handle)
    } catch (error) {
      throw shard.translate(error)
    }
  }

  get size(): number {
    return this.#size
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength; ) {
      const length = bytes.byteLength - at
      at += await this.#written(length, () => this.handle.write(bytes, at, length, this.#size))
    }
  }

  /** Appends several chunks without concatenating them first. */
  async appendAll(parts: readonly Uint8Array[]): Promise<void> {
    const length = parts.reduce((sum, one) => sum + one.byteLength, 0)
    const bytesWritten = await this.#written(length, () => this.handle.writev(parts, this.#size))
    // A nearly full disk writes a part of the bytes. The next write shows the error.
    if (bytesWritten < length) await this.append(Buffer.concat(parts).subarray(bytesWritten))
  }

  async #written(length: number, write: () => Promise<{ readonly bytesWritten: number }>): Promise<number> {
    try {
      const { bytesWritten } = await writeWithRoom(this.#shard, { length, before: this.#size }, write)
      this.#size += bytesWritten
      return bytesWritten
    } catch (error) {
      throw this.#shard.translate(error)
    }
  }

  /** Reads a part of what was written, up to `length` bytes of it. */
  async read(at: number, length: number): Promise<Buffer> {
    const reading = this.handle.read(Buffer.allocUnsafeSlow(length), 0, length, at)
    const { buffer, bytesRead } = await reading.catch(error => {
      throw this.#shard.translate(error)
    })
    // Somebody has truncated the file. Reading would never end.
    if (bytesRead === 0) throw cutShort(this.#shard)
    return buffer.subarray(0, bytesRead)
  }

  /** Hands the file over to the engine, which removes it when it is not stored. */
  take(): PendingFile {
    this.#taken = true
    return { temporary: this.#temporary, size: this.#size }
  }

  /** Removes the file, unless it was handed over. Readers can go on. */
  abandon(): void {
    if (this.#taken) return
    this.#taken = true
    this.#shard.disk.files.discard({ temporary: this.#temporary, size: this.#size })
  }
}
