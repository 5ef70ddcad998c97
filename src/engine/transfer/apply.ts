import { randomUUID } from 'node:crypto'
import type { CacheHandle } from '../cache-handle.js'
import { rollBack } from '../database/group-commit.js'
import type { Session } from '../database/session.js'
import type { PreparedValue } from '../disk/disk.js'
import type { PlannedFile } from '../disk/pending-file.js'
import { ValueTooLargeError } from '../errors.js'
import { isLive, type NewEntry, stateOf, storeRow } from '../operations/entries.js'
import { setFreshness } from '../operations/freshness.js'
import { isTakenKey, takeForNobody } from '../operations/taken.js'
import type { Shard } from '../shards/shard.js'
import { performance, turn } from '../timers.js'
import { translateError } from '../translate-error.js'
import { isThere, readPatiently } from '../verbs/reading.js'
import { acrossShards, commitAll, deadlineOf } from '../verbs/transacting.js'
import { keyToJson } from './exact-json.js'
import type { Stage, StagedRow } from './stage.js'
import { ConflictError } from './stream-error.js'

export interface ApplyOptions {
  /** How existing keys are treated. */
  readonly onConflict: 'replace' | 'keep' | 'fail'
  /** Number of entries in one transaction. `undefined`: all in one. */
  readonly batch: number | undefined
  /** Whether to store more than the limit, so that entries stored first are evicted. */
  readonly evict: boolean
  /** The longest wait for the lock of each transaction. Milliseconds. */
  readonly timeout: number
  readonly signal: AbortSignal
  /** Called with how many more entries were stored. */
  readonly told: (entries: number) => void
}

/** Counts of stored entries, after their commit. */
export interface Applied {
  stored: number
  replaced: number
  /** Existing keys that were left unchanged, with `keep`. */
  kept: number
}

const PAGE = 200
/** Size of the page cache of all shards. With less, the indexes of a large transaction are written repeatedly. */
const CACHE_KIB = 64 * 1024

/**
 * Stores the content of a stage in one transaction or in several. Uncommitted entries are rolled back, with their files
 * back in the stage.
 *
 * @param applied is updated continuously, so that an interrupted import can report how far it came
 */
export async function applyStage(
  handle: CacheHandle,
  stage: Stage,
  options: ApplyOptions,
  applied: Applied,
): Promise<void> {
  checkRoom(handle, stage, options)
  for (let after = 0; after < stage.rows; ) {
    const limit = options.batch ?? stage.rows
    await applyBatch(handle, stage, { ...options, after, limit }, applied)
    after += limit
  }
}

/** Checks the limits. @throws RangeError when entries would be evicted as soon as they are stored */
function checkRoom(handle: CacheHandle, stage: Stage, { evict }: ApplyOptions): void {
  for (const [number, { bytes, largest }] of stage.weights) {
    const { sizeLimit, evictionPolicy, cullLimit } = (handle.shards[number] as Shard).settings
    if (largest > sizeLimit) throw new ValueTooLargeError(largest, sizeLimit, handle.shards.length)
    if (evict || evictionPolicy === 'none' || cullLimit === 0 || bytes <= sizeLimit) continue
    throw new RangeError(
      `the entries take ${bytes} bytes and more in a shard whose limit is ${Math.floor(sizeLimit)}: ` +
        'a part of them would be evicted at once',
    )
  }
}

interface Batch extends ApplyOptions {
  readonly after: number
  readonly limit: number
}

async function applyBatch(handle: CacheHandle, stage: Stage, batch: Batch, applied: Applied): Promise<void> {
  const { timeout, signal } = batch
  const waiting = { wait: timeout, signal }
  const counts: Applied = { stored: 0, replaced: 0, kept: 0 }
  try {
    await acrossShards(handle.shards, waiting, async sessions => {
      await storeRows(handle, stage, sessions, batch, counts)
      await commitAll(sessions, deadlineOf(waiting))
    })
  } catch (error) {
    throw translateError(error, handle.directory)
  }
  applied.stored += counts.stored
  applied.replaced += counts.replaced
  applied.kept += counts.kept
}

/** Stores rows in open transactions, which stay open unless this fails. */
async function storeRows(
  handle: CacheHandle,
  stage: Stage,
  sessions: readonly Session[],
  { after, limit, signal, onConflict, told }: Batch,
  counts: Applied,
): Promise<void> {
  const files: [Session, PlannedFile][] = []
  try {
    for (const [at, shard] of handle.shards.entries()) shard.prologue(sessions[at] as Session)
    for (const { db } of sessions) db.pragma(`cache_size = ${-Math.ceil(CACHE_KIB / sessions.length)}`)
    for (let done = 0; done < limit; done += PAGE) {
      const rows = stage.page(after + done, Math.min(PAGE, limit - done))
      for (const row of rows) {
        const session = sessions[row.shard] as Session
        const outcome = storeStaged(handle, session, row, onConflict)
        counts[outcome]++
        if (outcome !== 'kept' && row.file && row.moving) files.push([session, { ...row.moving, size: row.file.size }])
      }
      // Nothing is evicted before the commit, so that own rows need not be remembered.
      for (const session of sessions) session.stored.length = 0
      told(rows.length)
      // Signals are heard between turns only.
      await turn()
      signal.throwIfAborted()
      if (rows.length < PAGE) break
    }
    // Last, so that a process that is killed before leaves no file without a row.
    for (const [session, file] of files) {
      session.disk.files.settle(file, session.disk.now())
      session.placed.push(file)
    }
  } catch (error) {
    for (const session of sessions) rollBack(session)
    throw error
  }
}

type Outcome = 'stored' | 'replaced' | 'kept'

function storeStaged(
  handle: CacheHandle,
  session: Session,
  row: StagedRow,
  onConflict: ApplyOptions['onConflict'],
): Outcome {
  const { key, accessTime, accessCount, computed } = row
  const state = stateOf(session, key)
  const hasLive = state !== undefined && isLive(state[3], session.disk.now())
  if (hasLive && onConflict === 'keep') return 'kept'
  if (hasLive && onConflict === 'fail') {
    throw new ConflictError(row.line, JSON.stringify(keyToJson(key, handle.options.codec)))
  }
  const rowid = storeRow(session, entryOf(row), state)
  session.statements.run('setAccess', accessTime, BigInt(accessCount), rowid)
  if (computed) setFreshness(session, key, computed)
  if (isTakenKey(key)) takeForNobody(session, key, randomUUID())
  return hasLive ? 'replaced' : 'stored'
}

function entryOf(row: StagedRow): NewEntry {
  const { key, expireTime, tag, tags } = row
  return { key, value: preparedOf(row), now: ownInstant(row.storeTime), expireTime, tag, tags }
}

function preparedOf({ value, file, moving }: StagedRow): PreparedValue {
  const { mode, data } = value
  if (!file || !moving) return { mode, value: data, size: 0, weight: 0 }
  return { mode, value: data, size: file.size, weight: 0, file: { ...moving, size: file.size } }
}

/**
 * The store time of an entry, with random microseconds. Together with the rowid it is the version of the row, which
 * must differ from versions that others remember. Those next to another millisecond would be rounded to it.
 */
function ownInstant(seconds: number): number {
  return (Math.floor(seconds * 1000) + 0.0005 + Math.random() * 0.998) / 1000
}

/** Evicts in pages until the limits hold, even after an interruption. Resolves to how many entries were evicted. */
export async function keepLimits(handle: CacheHandle, timeout: number): Promise<number> {
  let evicted = 0
  for (const shard of handle.shards) {
    if (shard.settings.cullLimit === 0) continue
    for (let more = true; more; ) {
      const page = await shard.write(
        { run: session => shard.culler.enforce(session) },
        { deadline: performance.now() + timeout },
      )
      evicted += page.removed
      more = page.more
    }
  }
  return evicted
}

/** Counts the staged keys that exist already. */
export async function countThere(handle: CacheHandle, stage: Stage): Promise<number> {
  let there = 0
  for (let after = 0; after < stage.rows; after += PAGE) {
    for (const { shard: number, key } of stage.page(after, PAGE)) {
      const shard = handle.shards[number] as Shard
      if (await readPatiently(shard, handle.options.timeout, () => isThere(shard, key))) there++
    }
    await turn()
  }
  return there
}
