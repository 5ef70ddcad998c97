import * as fsp from 'node:fs/promises'
import { join } from 'node:path'
import { slashed } from '../disk/safe-filename.js'
import { ORPHAN_MILLISECONDS, TEMPORARY_PREFIX, VALUE_FILE } from '../disk/value-files.js'
import { VALUE_FOLDER } from '../disk/value-folders.js'
import { isMissing, systemCode } from '../file-errors.js'
import { lastRow, nextWindow } from '../operations/listing.js'
import type { Shard } from '../shards/shard.js'
import { ageOf } from '../time.js'
import { performance, turn } from '../timers.js'
import { reclaimStages } from './import-stages.js'

const EVERY_MILLISECONDS = 3_600_000

const lastSweep = new WeakMap<Shard, number>()

type Stopping = { readonly requested: boolean }

/** Sweeps a shard when it was opened or an hour has passed since the last sweep. Resolves to how many files it removed. */
export async function sweepIfDue(shard: Shard, stopping: Stopping): Promise<number> {
  const last = lastSweep.get(shard) ?? Number.NEGATIVE_INFINITY
  return performance.now() - last < EVERY_MILLISECONDS ? 0 : sweep(shard, stopping)
}

/** Removes files that crashes left behind more than an hour ago. Resolves to how many. */
export async function sweep(shard: Shard, stopping: Stopping): Promise<number> {
  lastSweep.set(shard, performance.now())
  const { directory, disk, options } = shard
  // The stages of imports lie in the directory of the cache, so only the first shard reclaims them.
  if (options.root === undefined || Number(disk.pathPrefix.slice(0, -1)) === 0) {
    await reclaimStages(options.root ?? directory)
  }
  return (await sweepTemporary(directory)) + (await sweepUnnamed(shard, stopping))
}

/** Removes old temporary files. @param directory the directory of a shard */
async function sweepTemporary(directory: string): Promise<number> {
  let removed = 0
  for (const name of await list(directory)) {
    if (name.startsWith(TEMPORARY_PREFIX) && (await removeOld(join(directory, name)))) removed++
  }
  return removed
}

async function sweepUnnamed(shard: Shard, stopping: Stopping): Promise<number> {
  const { directory } = shard
  const outer = (await folders(directory)).filter(name => VALUE_FOLDER.test(name))
  if (outer.length === 0) return 0
  // Names are read before files, since a file that is stored in between is young.
  const known = await namesInUse(shard, stopping)
  if (!known) return 0
  let removed = 0
  for (const folder of outer) {
    for (const inner of (await folders(join(directory, folder))).filter(name => VALUE_FOLDER.test(name))) {
      for (const file of await list(join(directory, folder, inner))) {
        const name = `${folder}/${inner}/${file}`
        if (stopping.requested) return removed
        if (VALUE_FILE.test(name) && !known.has(name) && (await removeOld(join(directory, name)))) {
          removed++
          await pruneFolders(directory, folder, inner)
        }
      }
    }
  }
  return removed
}

/** The names that rows use. `undefined` when the database was closed or replaced meanwhile. */
async function namesInUse(shard: Shard, stopping: Stopping): Promise<Set<string> | undefined> {
  const session = shard.current
  if (!session) return undefined
  const known = new Set<string>()
  const last = lastRow(session)
  for (let window = nextWindow(session, 0, last); window; window = nextWindow(session, window.until, last)) {
    const { after, until } = window
    for (const name of session.statements.all<string>('filenames', after, until)) known.add(slashed(name))
    await turn()
    if (stopping.requested || shard.current !== session) return undefined
  }
  if (session.has('unlinkLater')) for (const name of session.statements.all<string>('laterNames')) known.add(name)
  return known
}

async function removeOld(path: string): Promise<boolean> {
  try {
    const stat = await fsp.lstat(path)
    if (!stat.isFile() || ageOf(stat.mtimeMs) < ORPHAN_MILLISECONDS) return false
    await fsp.unlink(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

async function pruneFolders(directory: string, folder: string, inner: string): Promise<void> {
  for (const path of [join(directory, folder, inner), join(directory, folder)]) {
    try {
      await fsp.rmdir(path)
    } catch (error) {
      const code = systemCode(error)
      if (code === 'ENOTEMPTY' || code === 'EEXIST' || isMissing(error)) return
      throw error
    }
  }
}

async function list(path: string): Promise<string[]> {
  try {
    return await fsp.readdir(path)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** Lists directories, without links to directories, which do not belong to the cache. */
async function folders(path: string): Promise<string[]> {
  try {
    const entries = await fsp.readdir(path, { withFileTypes: true })
    return entries.filter(entry => entry.isDirectory()).map(entry => entry.name)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}
