import * as fs from 'node:fs'
import * as fsp from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemCode } from '../file-errors.js'
import type { PendingFile } from './pending-file.js'

/*
 * With `synchronous` 2 a row waits at its commit until SQLite's log is on the disk. The system writes files later and in
 * an order of its own, so that a row could come back without its file: bytes and names of files have to be waited for too.
 */

/** Opened for writing, because Windows syncs nothing else. */
const OPEN_TO_SYNC = 'r+'
/** Codes with which systems that sync no folders refuse it. They keep names in their own way. */
const NO_FOLDERS = new Set(['EACCES', 'EBADF', 'EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM'])

/** Waits until the bytes of a file are on the disk. */
export async function syncBytes(path: string, file: PendingFile): Promise<void> {
  const handle = await fsp.open(path, OPEN_TO_SYNC)
  try {
    await handle.datasync()
  } finally {
    await handle.close()
  }
  file.synced = true
}

/** Waits until files below a directory are on the disk, with the names by which their rows find them. */
export function syncPlaced(directory: string, files: readonly PendingFile[]): void {
  const folders = new Set<string>()
  for (const file of files) {
    // A savepoint that was rolled back has moved it away.
    if (file.filename === undefined) continue
    if (!file.synced) syncNow(join(directory, file.filename), OPEN_TO_SYNC)
    const folder = dirname(file.filename)
    // Whoever made the folders may not have synced them yet.
    folders.add(folder).add(dirname(folder)).add('.')
  }
  for (const folder of folders) syncFolder(join(directory, folder))
}

function syncFolder(path: string): void {
  try {
    syncNow(path, 'r')
  } catch (error) {
    if (!NO_FOLDERS.has(systemCode(error) ?? '')) throw error
  }
}

function syncNow(path: string, flags: string): void {
  const descriptor = fs.openSync(path, flags)
  try {
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}
