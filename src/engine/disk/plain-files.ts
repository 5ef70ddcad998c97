import { constants } from 'node:buffer'
import * as fs from 'node:fs'
import * as fsp from 'node:fs/promises'
import { promisify } from 'node:util'
import { DecodeError } from '../errors.js'
import { isMissing, systemCode } from '../file-errors.js'

/** Flags with which links are not followed, and a FIFO in the place of a file does not block. */
const READ_PLAIN = fs.constants.O_RDONLY | (fs.constants.O_NOFOLLOW ?? 0) | (fs.constants.O_NONBLOCK ?? 0)

const openAsync = promisify(fs.open)
const readAsync = promisify(fs.read)
const closeAsync = promisify(fs.close)

/** Opens a plain file of a known size. `undefined` when it is missing, no plain file, or has another size. */
export async function openPlain(path: string, size: number): Promise<fsp.FileHandle | undefined> {
  let handle: fsp.FileHandle
  try {
    handle = await fsp.open(path, READ_PLAIN)
  } catch (error) {
    return noFile(error)
  }
  try {
    if (isWhole(handle.fd, size)) return handle
  } catch (error) {
    await closeRead(handle)
    throw error
  }
  await closeRead(handle)
  return undefined
}

/** The same for a file that is read whole: a descriptor, which costs less than a `FileHandle`. */
export async function openToRead(path: string, size: number): Promise<number | undefined> {
  try {
    return ifWhole(await openAsync(path, READ_PLAIN), size)
  } catch (error) {
    return noFile(error)
  }
}

/** Opens a plain file synchronously. `undefined` as with `openPlain`. */
export function openPlainNow(path: string, size: number): number | undefined {
  try {
    return ifWhole(fs.openSync(path, READ_PLAIN), size)
  } catch (error) {
    return noFile(error)
  }
}

/** Closes an open file unless it is a plain one of a known size. */
function ifWhole(descriptor: number, size: number): number | undefined {
  let isKept = false
  try {
    isKept = isWhole(descriptor, size)
  } finally {
    if (!isKept) closeReadNow(descriptor)
  }
  return isKept ? descriptor : undefined
}

/** Whether an open file is a plain one of a known size. Asked at once, since the system knows that of all open files. */
function isWhole(descriptor: number, size: number): boolean {
  const stat = fs.fstatSync(descriptor)
  return stat.isFile() && stat.size === size
}

/** Closes a file that was only read. Its descriptor is free in any case, and an error would hide what was read. */
export async function closeRead(handle: fsp.FileHandle): Promise<void> {
  await handle.close().catch(() => undefined)
}

function closeReadNow(descriptor: number): void {
  try {
    fs.closeSync(descriptor)
  } catch (error) {
    if (systemCode(error) === undefined) throw error
  }
}

/** The last to close a removed file frees its blocks, which takes long where there are many. */
const MOST_CLOSED_NOW = 2 ** 20
/** Bytes of one call at most. Above 2^31 - 1 Node refuses to write, and ends the process when it reads. */
const MOST_PER_CALL = 2 ** 30

/** Reads all bytes of an open file. `undefined` when it has become shorter. */
export async function readHandle(handle: fsp.FileHandle, size: number): Promise<Buffer | undefined> {
  const bytes = bufferOf(size)
  for (let at = 0; at < size; ) {
    const { bytesRead } = await handle.read(bytes, at, Math.min(size - at, MOST_PER_CALL), at)
    if (bytesRead === 0) return undefined
    at += bytesRead
  }
  return bytes
}

/** Reads all bytes of an open file and closes it. `undefined` when it has become shorter. */
export async function readDescriptor(descriptor: number, size: number): Promise<Buffer | undefined> {
  try {
    const bytes = bufferOf(size)
    for (let at = 0; at < size; ) {
      const { bytesRead } = await readAsync(descriptor, bytes, at, Math.min(size - at, MOST_PER_CALL), at)
      if (bytesRead === 0) return undefined
      at += bytesRead
    }
    return bytes
  } finally {
    if (size <= MOST_CLOSED_NOW) closeReadNow(descriptor)
    else await closeAsync(descriptor).catch(() => undefined)
  }
}

/** Reads all bytes of an open file synchronously and closes it. `undefined` when it has become shorter. */
export function readDescriptorNow(descriptor: number, size: number): Buffer | undefined {
  try {
    const bytes = bufferOf(size)
    for (let at = 0; at < size; ) {
      const read = fs.readSync(descriptor, bytes, at, Math.min(size - at, MOST_PER_CALL), at)
      if (read === 0) return undefined
      at += read
    }
    return bytes
  } finally {
    closeReadNow(descriptor)
  }
}

/** Writes all bytes to a new file, at its present end. */
export async function writeHandle(handle: fsp.FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) {
    at += (await handle.write(bytes, at, Math.min(bytes.byteLength - at, MOST_PER_CALL))).bytesWritten
  }
}

/** Writes all bytes to a new file synchronously and closes it. */
export function writeDescriptorNow(descriptor: number, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.byteLength; ) {
      at += fs.writeSync(descriptor, bytes, at, Math.min(bytes.byteLength - at, MOST_PER_CALL))
    }
  } finally {
    fs.closeSync(descriptor)
  }
}

/** @throws DecodeError when a value is longer than Buffers can be: 4 GiB in Node 20 */
function bufferOf(size: number): Buffer {
  if (size <= constants.MAX_LENGTH) return Buffer.allocUnsafeSlow(size)
  throw new DecodeError(`a value of ${size} bytes is longer than a Buffer can be: read() gives it as a stream`)
}

/** What opening answers where no plain file is. Throws all other errors. */
function noFile(error: unknown): undefined {
  const code = systemCode(error)
  if (isMissing(error) || code === 'ELOOP' || code === 'EISDIR' || code === 'ENXIO') return undefined
  throw error
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
