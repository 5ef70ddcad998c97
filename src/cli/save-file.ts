import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { lstat, rename, rm } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/**
 * Writes a stream to a file that was named on the command line: beside it first, so that it is whole or not there.
 *
 * @param mode permissions of a new file
 */
export async function saveFile(
  target: string,
  source: Readable,
  { signal, mode = 0o666 }: { readonly signal: AbortSignal; readonly mode?: number },
): Promise<void> {
  try {
    // A device, a pipe or a link is written to; a rename would put a file in its place.
    const there = await lstat(target).catch(() => undefined)
    if (there && !there.isFile()) await pipeline(source, createWriteStream(target), { signal })
    else await saveWhole(target, source, { signal, mode })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}

async function saveWhole(
  target: string,
  source: Readable,
  { signal, mode }: { readonly signal: AbortSignal; readonly mode: number },
): Promise<void> {
  // In containers process ids are the same again and again: what a killed one has left must not be in the way.
  const part = `${target}.${randomBytes(6).toString('hex')}.part`
  try {
    await pipeline(source, createWriteStream(part, { flags: 'wx', mode }), { signal })
    await rename(part, target)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}
