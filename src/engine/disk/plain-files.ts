import * as fs from 'node:fs'
import * as fsp from 'node:fs/promises'
import { promisify } from 'node:util'
import { isMissing, systemCode } from '../file-errors.js'

/** Flags with which links are not followed, and a FIFO in the place of a file does not block. */
const READ_PLAIN = fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0)

/** Opens a plain file of a known size. `undefined` when it is missing, no plain file, or has another size. */
export async function openPlain(path: string, size: number): Promise<fsp.FileHandle | undefined> {
  let handle: fsp.FileHandle
  try {
    handle = await fsp.open(path, READ_PLAIN)
  } catch (error) {
    if (isNoFile(error)) return undefined
    throw error
  }
  try {
    const stat = await handle.stat()
    if (stat.isFile() && stat.size === size) return handle
  } catch (error) {
    await handle.close()
    throw error
  }
  await handle.close()
  return undefined
}

/** Opens a plain file synchronously. `undefined` as with `openPlain`. */
export function openPlainNow(path: string, size: number): number | undefined {
  let descriptor: number
  try {
    descriptor = fs.openSync(path, READ_PLAIN)
  } catch (error) {
    if (isNoFile(error)) return undefined
    throw error
  }
  const stat = fs.fstatSync(descriptor)
  if (stat.isFile() && stat.size === size) return descriptor
  fs.closeSync(descriptor)
  return undefined
}

/** Reads all bytes of an open file and closes it. `undefined` when it has become shorter. */
export async function readDescriptor(descriptor: number, size: number): Promise<Buffer | undefined> {
  try {
    const bytes = Buffer.allocUnsafeSlow(size)
    for (let at = 0; at < size; ) {
      const { bytesRead } = await readAsync(descriptor, bytes, at, size - at, at)
      if (bytesRead === 0) return undefined
      at += bytesRead
    }
    return bytes
  } finally {
    fs.closeSync(descriptor)
  }
}

const readAsync = promisify(fs.read)

function isNoFile(error: unknown): boolean {
  const code = systemCode(error)
  return isMissing(error) || code === 'ELOOP' || code === 'EISDIR' || code === 'ENXIO'
}

/** Attempts: others may remove empty directories between our two calls. */
const TRIES = 10

/** Runs a function that creates a directory and uses it, and retries when somebody removes the directory in between. */
export function retryMissing(run: (attempt: number) => void): void {
  for (let attempt = 1; ; attempt++) {
    try {
      return run(attempt)
    } catch (error) {
      if (!isMissing(error) || attempt === TRIES) throw error
    }
  }
}
