import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { chmod, lstat, rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

const PERMISSIONS = 0o777

/** The content of a file. */
export type Content = AsyncIterable<Uint8Array | string>

/**
 * Writes a file atomically: first beside its place, then renamed, so that it is complete or does not exist.
 *
 * @param mode the mode of a new file; an existing one keeps its mode
 * @throws the reason of `signal`
 */
export async function writeWholeFile(path: string, content: Content, signal: AbortSignal, mode = 0o666): Promise<void> {
  const there = await lstat(path).catch(() => undefined)
  // A device, a pipe or a link is written directly. A rename would replace it by a file.
  if (there && !there.isFile()) return write(path, content, signal, { mode })
  // Random, since containers reuse process ids and the file of a killed process must not be in the way.
  const part = `${path}.${randomBytes(6).toString('hex')}.part`
  try {
    // Flushed, since a power failure could otherwise keep the name and lose the content, the old one too.
    await write(part, content, signal, { flags: 'wx', flush: true, mode: there ? there.mode & PERMISSIONS : mode })
    // The umask has masked the mode.
    if (there) await chmod(part, there.mode & PERMISSIONS)
    await rename(part, path)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}

async function write(
  path: string,
  content: Content,
  signal: AbortSignal,
  options: { readonly flags?: string; readonly flush?: boolean; readonly mode: number },
): Promise<void> {
  try {
    await pipeline(content, createWriteStream(path, options), { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
