import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'

/** The name of a value file, in its place or still being written. */
const VALUE_FILE = /^([0-9a-f]{28}\.val|cache\.db-tmp-[0-9a-f]{32})$/

/** Paths of all value files under a directory, finished or not: what a cache may leave behind by mistake. */
export function valueFiles(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && VALUE_FILE.test(entry.name))
    .map(entry => join(entry.parentPath, entry.name))
}

/** Waits until no value file is left: what came to nothing is removed a moment after the call has been answered. */
export async function expectNoValueFiles(directory: string): Promise<void> {
  await expect.poll(() => valueFiles(directory), { interval: 5 }).toEqual([])
}
