import type { FileHandle } from 'node:fs/promises'
import type { PendingFile } from '../disk/value-files.js'
import type { Shard } from '../shards/shard.js'

/** A file that is written in parts, and can be read meanwhile. Its place in the cache comes with `DoorStore.land`. */
export class GrowingFile {
  readonly handle: FileHandle
  readonly #shard: Shard
  readonly #temporary: string
  #size = 0
  #taken = false

  constructor(shard: Shard, temporary: string, handle: FileHandle) {
    this.#shard = shard
    this.#temporary = temporary
    this.handle = handle
  }

  get size(): number {
    return this.#size
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength; ) {
      const { bytesWritten } = await this.handle.write(bytes, at, bytes.byteLength - at, this.#size)
      at += bytesWritten
      this.#size += bytesWritten
    }
  }

  /** Appends several, without putting them together before. */
  async appendAll(parts: readonly Uint8Array[]): Promise<void> {
    const length = parts.reduce((sum, one) => sum + one.byteLength, 0)
    const { bytesWritten } = await this.handle.writev(parts, this.#size)
    this.#size += bytesWritten
    // A disk that is nearly full takes a part, and tells why with the next one.
    if (bytesWritten < length) await this.append(Buffer.concat(parts).subarray(bytesWritten))
  }

  /** As the engine knows it. From here on the engine removes it when it is not stored. */
  take(): PendingFile {
    this.#taken = true
    return { temporary: this.#temporary, size: this.#size }
  }

  /** Removes the file, unless it was taken. Who reads it can go on. */
  abandon(): void {
    if (this.#taken) return
    this.#taken = true
    this.#shard.disk.files.discard({ temporary: this.#temporary, size: this.#size })
  }
}
