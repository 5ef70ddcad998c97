import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from './temp-directory.js'

const THREADS = Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)

/** Holds up all threads that read and write files, like a disk that does not answer, until the function is called. */
export function holdThreads(): () => Promise<void> {
  const pipe = join(temporaryDirectory(), 'pipe')
  execFileSync('mkfifo', [pipe])
  // Opening a pipe for reading waits for somebody who writes.
  const readers = Array.from({ length: THREADS }, () => open(pipe, constants.O_RDONLY))
  let released: Promise<void> | undefined
  const release = (): Promise<void> => {
    released ??= (async () => {
      const writer = openSync(pipe, constants.O_RDWR)
      for (const reader of await Promise.all(readers)) await reader.close()
      closeSync(writer)
    })()
    return released
  }
  onTestFinished(release)
  return release
}
