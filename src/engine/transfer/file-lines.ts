import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { StorageError } from '../errors.js'
import { CHUNK_BYTES } from './format.js'

/** An open value file and its size. */
export interface OpenFile {
  readonly handle: FileHandle
  readonly size: number
}

/**
 * The lines after the entry of a file: its bytes, then their SHA-256.
 *
 * @throws StorageError when the file was truncated
 */
export async function* fileLines({ handle, size }: OpenFile, directory: string): AsyncGenerator<string> {
  const hash = createHash('sha256')
  const bytes = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, Math.max(1, size)))
  for (let at = 0; at < size; ) {
    let length = 0
    const wanted = Math.min(CHUNK_BYTES, size - at)
    while (length < wanted) {
      const { bytesRead } = await handle.read(bytes, length, wanted - length, at + length)
      if (bytesRead === 0) throw new StorageError(directory, 'a value file was cut off while it was exported')
      length += bytesRead
    }
    const chunk = bytes.subarray(0, length)
    hash.update(chunk)
    at += length
    yield `${JSON.stringify({ chunk: chunk.toString('base64') })}\n`
  }
  yield `${JSON.stringify({ sha256: hash.digest('hex') })}\n`
}
