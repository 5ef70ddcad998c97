import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync } from 'node:fs'
import * as fsp from 'node:fs/promises'
import { join } from 'node:path'
import { type Connection, connect } from '../database/connection.js'
import { fileIdentity, isGone } from '../database/open-files.js'
import { DATABASE_FILE } from '../database/opening.js'
import { isBusy } from '../database/sqlite-errors.js'
import { type FileModes, VALUE_FOLDER } from '../disk/value-folders.js'
import { CorruptError, TimeoutError } from '../errors.js'
import { isMissing, systemCode } from '../file-errors.js'
import type { Shard } from '../shards/shard.js'
import { isoNow } from '../time.js'
import { performance, sleep } from '../timers.js'
import { runTask } from './worker-client.js'

/** An empty database that serves as a lock. The system releases it when its holder dies, in whatever container. */
const LOCK_FILE = `${DATABASE_FILE}-quarantine.lock`
const LOCK_PATIENCE_MILLISECONDS = 30_000
const POLL_MILLISECONDS = 20

/** Prefix of the directories of quarantined databases. Python's check() skips paths that contain cache.db. */
export const QUARANTINE_PREFIX: string = `${DATABASE_FILE}-quarantine-`
/** Suffix of the name of such a directory until everything has been moved into it. */
export const UNFINISHED: string = '.moving'

/**
 * Codes of a folder that cannot be moved as a whole: an overlay, such as the image of a container, does not move what
 * lies in its lower layer. A process that was killed meanwhile has left a part of it at its goal.
 */
const IN_PARTS = new Set(['EXDEV', 'ENOTEMPTY', 'EEXIST'])

/**
 * Moves the damaged database of a shard and its value files aside, once over all processes. Does nothing when another
 * process has done it meanwhile, or the database proves sound.
 *
 * @param identity identity of the file that was found damaged, if it was open
 * @throws TimeoutError when another process does not finish moving it in time
 */
export async function quarantine(shard: Shard, damage: unknown, identity: string | undefined): Promise<void> {
  const { directory, options } = shard
  const moved = await underLock(directory, options.modes, LOCK_PATIENCE_MILLISECONDS, async () => {
    const path = await finish(directory)
    if (path !== undefined) tellUnfinished(shard, path)
    const now = fileIdentity(join(directory, DATABASE_FILE))
    if (now === undefined || (identity !== undefined && identity !== now)) return undefined
    const findings = await runTask({ task: 'inspect', directory })
    return findings.length === 0 ? undefined : moveAside(directory, options.modes)
  })
  if (moved !== undefined) shard.events.quarantined(directory, moved, shard.translate(damage) as Error)
}

/** Whether the database is missing because it was moved aside or is being moved. */
export function mayBeMoving(directory: string): boolean {
  return isGone(join(directory, DATABASE_FILE)) && existsSync(join(directory, LOCK_FILE))
}

/**
 * Completes a quarantine in which its process was killed. A new database must not be created before, because it would
 * get the log and the shared memory of the damaged one.
 *
 * @throws TimeoutError while another process is moving the database
 */
export async function finishQuarantine(shard: Shard): Promise<void> {
  const { directory, options } = shard
  const path = await underLock(directory, options.modes, 0, () => finish(directory))
  if (path !== undefined) tellUnfinished(shard, path)
}

function tellUnfinished({ directory, events }: Shard, path: string): void {
  events.quarantined(directory, path, new CorruptError(directory, 'a process ended while it moved it aside'))
}

async function finish(directory: string): Promise<string | undefined> {
  const target = await unfinishedIn(directory)
  if (target === undefined || !existsSync(join(target, DATABASE_FILE))) return undefined
  // Python may have created a new database already. The files beside it then belong to it.
  if (isGone(join(directory, DATABASE_FILE))) await moveRest(directory, target)
  return finished(target)
}

async function moveAside(directory: string, modes: FileModes): Promise<string> {
  const target = (await unfinishedIn(directory)) ?? (await makeTarget(directory, modes))
  // The database is moved first. No new one is created while its files follow.
  await fsp.rename(join(directory, DATABASE_FILE), join(target, DATABASE_FILE))
  await moveRest(directory, target)
  return finished(target)
}

async function makeTarget(directory: string, modes: FileModes): Promise<string> {
  const stamp = isoNow()
    .replace(/[^0-9]/g, '')
    .slice(0, 14)
  const target = join(directory, `${QUARANTINE_PREFIX}${stamp}-${randomBytes(3).toString('hex')}${UNFINISHED}`)
  await fsp.mkdir(target, { mode: modes.directory })
  if (modes.exact) await fsp.chmod(target, modes.directory)
  return target
}

async function moveRest(directory: string, target: string): Promise<void> {
  const folders = (await fsp.readdir(directory)).filter(entry => VALUE_FOLDER.test(entry))
  const logs = ['-wal', '-shm', '-journal'].map(suffix => DATABASE_FILE + suffix)
  for (const entry of [...logs, ...folders]) await move(join(directory, entry), join(target, entry))
}

async function move(from: string, to: string): Promise<void> {
  try {
    await fsp.rename(from, to)
  } catch (error) {
    if (isMissing(error)) return
    if (!IN_PARTS.has(systemCode(error) ?? '')) throw error
    await moveParts(from, to)
  }
}

async function moveParts(from: string, to: string): Promise<void> {
  const { mode } = await fsp.stat(from)
  await fsp.mkdir(to, { mode }).catch(error => {
    if (systemCode(error) !== 'EEXIST') throw error
  })
  for (const entry of await fsp.readdir(from)) await move(join(from, entry), join(to, entry))
  await fsp.rmdir(from)
}

async function unfinishedIn(directory: string): Promise<string | undefined> {
  const entries = await fsp.readdir(directory)
  const name = entries.find(entry => entry.startsWith(QUARANTINE_PREFIX) && entry.endsWith(UNFINISHED))
  return name === undefined ? undefined : join(directory, name)
}

async function finished(target: string): Promise<string> {
  const path = target.slice(0, -UNFINISHED.length)
  await fsp.rename(target, path)
  return path
}

async function underLock<T>(directory: string, modes: FileModes, patience: number, work: () => Promise<T>): Promise<T> {
  const path = join(directory, LOCK_FILE)
  const isNew = !existsSync(path)
  const lock = connect(path, { readonly: false, mustExist: false })
  try {
    if (isNew) chmodSync(path, modes.file)
    await takeLock(lock, directory, patience)
    return await work()
  } finally {
    // Nothing was written. Closing the connection releases the lock.
    lock.close()
  }
}

async function takeLock(lock: Connection, directory: string, patience: number): Promise<void> {
  const deadline = performance.now() + patience
  for (;;) {
    try {
      // Without a journal file beside it. This statement needs the lock as well.
      lock.pragma('journal_mode = MEMORY')
      lock.exec('BEGIN EXCLUSIVE')
      return
    } catch (error) {
      if (!isBusy(error)) throw error
      if (performance.now() >= deadline) throw new TimeoutError(directory, 0, { cause: error })
    }
    await sleep(POLL_MILLISECONDS)
  }
}
