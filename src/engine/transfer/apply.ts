import { randomUUID } from 'node:crypto'
import type { CacheHandle } from '../cache-handle.js'
import { rollBack } from '../database/group-commit.js'
import type { Session } from '../database/session.js'
import { FULL_SYNC } from '../database/settings.js'
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
    const synced = await syncStaged(handle, stage, batch)
    await acrossShards(handle.shards, waiting, async sessions => {
      await storeRows(handle, stage, sessions, { ...batch, synced }, counts)
      await commitAll(sessions, deadlineOf(waiting))
    })
  } catch (error) {
    throw translateError(error, handle.directory)
  }
  applied.stored += counts.stored
  applied.replaced += counts.replaced
  applied.kept += counts.kept
}

/** Waits before the locks are taken for files that their commit would wait for. Resolves to whether it would. */
async function syncStaged({ shards }: CacheHandle, stage: Stage, { after, limit, signal }: Batch): Promise<boolean> {
  if (!shards.some(({ settings }) => settings.synchronous >= FULL_SYNC)) return false
  for (let done = 0; done < limit; done += PAGE) {
    const rows = stage.page(after + done, Math.min(PAGE, limit - done))
    for (const { shard, file, moving } of rows) {
      if (file && moving) await (shards[shard] as Shard).disk.files.syncing({ ...moving, size: file.size })
      signal.throwIfAborted()
    }
    if (rows.length < PAGE) break
  }
  return true
}

/** Stores rows in open transactions, which stay open unless this fails. */
async function storeRows(
  handle: CacheHandle,
  stage: Stage,
  sessions: readonly Session[],
  { after, limit, signal, onConflict, told, synced }: Batch & { readonly synced: boolean },
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
        const file = row.file && row.moving ? { ...row.moving, size: row.file.size, synced } : undefined
        const outcome = storeStaged(handle, session, { row, value: preparedOf(row, file) }, onConflict)
        counts[outcome]++
        if (outcome !== 'kept' && file) files.push([session, file])
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
    for (const [session, file] of files) session.disk.files.settle(file, session.disk.now())
  } catch (error) {
    for (const session of sessions) rollBack(session)
    throw error
  }
}

type Outcome = 'stored' | 'replaced' | 'kept'

function storeStaged(
  handle: CacheHandle,
  session: Session,
  { row, value }: { readonly row: StagedRow; readonly value: PreparedValue },
  onConflict: ApplyOptions['onConflict'],
): Outcome {
  const { key, accessTime, accessCount, computed } = row
  const state = stateOf(session, key)
  const hasLive = state !== undefined && isLive(state[3], session.disk.now())
  if (hasLive && onConflict === 'keep') return 'kept'
  if (hasLive && onConflict === 'fail') {
    throw new ConflictError(row.line, JSON.stringify(keyToJson(key, handle.options.codec)))
  }
  const rowid = storeRow(session, entryOf(row, value), state)
  session.statements.run('setAccess', accessTime, BigInt(accessCount), rowid)
  if (computed) setFreshness(session, key, computed)
  if (isTakenKey(key)) takeForNobody(session, key, randomUUID())
  return hasLive ? 'replaced' : 'stored'
}

function entryOf(row: StagedRow, value: PreparedValue): NewEntry {
  const { key, expireTime, tag, tags } = row
  return { key, value, now: ownInstant(row.storeTime), isOld: true, expireTime, tag, tags }
}

function preparedOf({ value }: StagedRow, file: PlannedFile | undefined): PreparedValue {
  return { mode: value.mode, value: value.data, size: file?.size ?? 0, weight: 0, file }
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
