import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A fresh directory of the running test, removed with all that is in it when the test has finished. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'fanout-cache-test-'))
  // Retries: a worker that is still closing its files may put one back while the tree is being removed.
  onTestFinished(() => removeTree(directory))
  return directory
}

/** Removes a directory in which a cache that is open may be making a file at this moment. */
export function removeTree(directory: string): void {
  for (let tries = 0; tries < 5; tries++) {
    try {
      return rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    } catch (error) {
      // Node tries again to remove the directory, but not the file that was made in it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error
    }
  }
  rmSync(directory, { recursive: true, force: true })
}
