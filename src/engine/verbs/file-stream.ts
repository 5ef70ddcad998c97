import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { closeRead } from '../disk/plain-files.js'
import { StorageError } from '../errors.js'
import type { Shard } from '../shards/shard.js'

/** Bytes per read. */
const CHUNK = 2 ** 18

export interface Stretch {
  readonly start: number
  /** The last byte, which is part of it. */
  readonly end: number
  /** Whether the file stays open when the stream ends. */
  readonly keepOpen: boolean
}

/**
 * Streams a part of an open value file. A stream of Node would close the file whatever its options, end silently where
 * a file was cut short, and fail with an error that is not one of the cache.
 */
export class FileStream extends Readable {
  readonly #shard: Shard
  readonly #file: FileHandle
  readonly #end: number
  readonly #keepOpen: boolean
  #at: number

  constructor(shard: Shard, file: FileHandle, { start, end, keepOpen }: Stretch) {
    super({ highWaterMark: CHUNK })
    this.#shard = shard
    this.#file = file
    this.#at = start
    this.#end = end
    this.#keepOpen = keepOpen
  }

  override _read(): void {
    const length = Math.min(CHUNK, this.#end - this.#at + 1)
    if (length <= 0) {
      this.push(null)
      return
    }
    this.#file.read(Buffer.allocUnsafeSlow(length), 0, length, this.#at).then(
      ({ buffer, bytesRead }) => {
        if (bytesRead === 0) return this.destroy(cutShort(this.#shard))
        this.#at += bytesRead
        return this.push(buffer.subarray(0, bytesRead))
      },
      error => this.destroy(this.#shard.translate(error) as Error),
    )
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#keepOpen) return done(error)
    // It waits for a read that is under way.
    closeRead(this.#file).then(() => done(error))
  }
}

/** The error for a value file that has become shorter since it was opened. */
export function cutShort({ directory }: Shard): StorageError {
  return new StorageError(directory, 'a value file was cut short while it was read')
}
