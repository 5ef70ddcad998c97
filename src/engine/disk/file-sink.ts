import type { FileHandle } from 'node:fs/promises'
import { Writable } from 'node:stream'
import type { WithRoom } from './pending-file.js'

/** Writes a stream to a file, and closes it at the end. A write that finds the disk full is repeated if room was made. */
export class FileSink extends Writable {
  readonly #handle: FileHandle
  readonly #withRoom: WithRoom
  #size = 0

  constructor(handle: FileHandle, withRoom: WithRoom) {
    super({ highWaterMark: 2 ** 18 })
    this.#handle = handle
    this.#withRoom = withRoom
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#append([chunk]).then(() => done(), done)
  }

  override _writev(chunks: { readonly chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    this.#append(chunks.map(({ chunk }) => chunk)).then(() => done(), done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#handle.close().then(() => done(), done)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const destroyed = (): void => done(error)
    this.#handle.close().then(destroyed, destroyed)
  }

  async #append(parts: readonly Uint8Array[]): Promise<void> {
    const length = parts.reduce((sum, { byteLength }) => sum + byteLength, 0)
    const write = () => this.#handle.writev(parts, this.#size)
    const { bytesWritten } = await this.#withRoom({ length, before: this.#size }, write)
    this.#size += bytesWritten
    // A nearly full disk writes a part of the bytes. The next write shows the error.
    if (bytesWritten < length) await this.#append([Buffer.concat(parts).subarray(bytesWritten)])
  }
}
