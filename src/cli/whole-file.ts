import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { chmod, lstat, rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

const PERMISSIONS = 0o777

/** What is written to a file. */
export type Content = AsyncIterable<Uint8Array | string>

/**
 * Writes a file that somebody named: beside its place first, so that it is whole or not there.
 *
 * @param mode of a new file; one that is there keeps its own
 * @throws what `signal` was aborted with
 */
export async function writeWholeFile(path: string, content: Content, signal: AbortSignal, mode = 0o666): Promise<void> {
  const there = await lstat(path).catch(() => undefined)
  // A device, a pipe or a link is written to; a rename would put a file in its place.
  if (there && !there.isFile()) return write(path, content, signal, { mode })
  // In containers process ids are the same again and again: what a killed one has left must not be in the way.
  const part = `${path}.${randomBytes(6).toString('hex')}.part`
  try {
    await write(part, content, signal, { flags: 'wx', mode: there ? there.mode & PERMISSIONS : mode })
    // The umask has cut it.
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
  options: { readonly flags?: string; readonly mode: number },
): Promise<void> {
  try {
    await pipeline(content, createWriteStream(path, options), { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
