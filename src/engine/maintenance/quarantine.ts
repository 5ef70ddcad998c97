import { randomBytes } from 'node:crypto'
import * as fsp from 'node:fs/promises'
import { join } from 'node:path'
import { DATABASE_FILE, fileIdentity } from '../database/opening.js'
import { isMissing, systemCode } from '../file-errors.js'
import { isoNow, systemClock } from '../time.js'
import { inspectDatabase } from './inspect-database.js'

const LOCK_FILE = 'cache.db-quarantine.lock'
const LOCK_STALE_MILLISECONDS = 30_000
const POLL_MILLISECONDS = 20

/**
 * Moves a damaged database and its value files aside, once over all processes. Answers where to; `undefined` when
 * another process has done it meanwhile, or the database proves sound.
 *
 * @param identity the file that was found damaged, if it was open
 */
export async function quarantine(directory: string, identity: string | undefined): Promise<string | undefined> {
  const release = await takeLock(join(directory, LOCK_FILE))
  try {
    const now = fileIdentity(join(directory, DATABASE_FILE))
    if (now === undefined || (identity !== undefined && identity !== now)) return undefined
    if (inspectDatabase(directory) === 'sound') return undefined
    return await moveAside(directory)
  } finally {
    await release()
  }
}

async function moveAside(directory: string): Promise<string> {
  const stamp = isoNow()
    .replace(/[^0-9]/g, '')
    .slice(0, 14)
  // Python's check() passes over paths that hold cache.db.
  const name = `${DATABASE_FILE}-quarantine-${stamp}-${randomBytes(3).toString('hex')}`
  const target = join(directory, name)
  await fsp.mkdir(target, { mode: 0o700 })
  const entries = await fsp.readdir(directory)
  // The database goes first: from then on others open a fresh one, whose files have new names.
  const order = [DATABASE_FILE, `${DATABASE_FILE}-wal`, `${DATABASE_FILE}-shm`]
  const folders = entries.filter(entry => /^[0-9a-f]{2}$/.test(entry))
  for (const entry of [...order, ...folders]) {
    try {
      await fsp.rename(join(directory, entry), join(target, entry))
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  return target
}

async function takeLock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await fsp.writeFile(path, String(process.pid), { flag: 'wx', mode: 0o600 })
      return () => fsp.rm(path, { force: true })
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
    }
    const stat = await fsp.stat(path).catch(() => undefined)
    // Its holder died: the time of the file system is compared with that of a new file, not with a clock.
    if (stat && systemClock.now() - stat.mtimeMs > LOCK_STALE_MILLISECONDS) {
      await fsp.rm(path, { force: true })
    }
    await new Promise(resolve => setTimeout(resolve, POLL_MILLISECONDS))
  }
}
