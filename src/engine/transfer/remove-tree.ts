import * as fsp from 'node:fs/promises'
import { systemCode } from '../file-errors.js'

/**
 * Removes a directory that an import has made for itself. What fails here must not hide how the import ended: what is
 * left is reclaimed later.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await fsp.rm(path, { recursive: true, force: true })
  } catch (error) {
    if (systemCode(error) === undefined) throw error
  }
}
