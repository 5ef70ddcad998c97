import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { CacheHandle } from '../cache-handle.js'
import { rollBack } from '../database/group-commit.js'
import type { Session } from '../database/session.js'
import type { PreparedValue } from '../disk/disk.js'
import type { PendingFile } from '../disk/value-files.js'
import { ValueTooLargeError } from '../errors.js'
import { isLive, type NewEntry, stateOf, storeRow } from '../operations/entries.js'
import { setFreshness } from '../operations/freshness.js'
import { isTakenKey, takeForNobody } from '../operations/taken.js'
import type { Shard } from '../shards/shard.js'
import { translateError } from '../translate-error.js'
import { isThere, readPatiently } from '../verbs/reading.js'
import { acrossShards, commitAll, deadlineOf } from '../verbs/transacting.js'
import { keyToJson } from './exact-json.js'
import type { Stage, StagedRow } from './stage.js'
import { ConflictError } from './stream-error.js'

export interface ApplyOptions {
  /** What becomes of keys that are there already. */
  readonly onConflict: 'replace' | 'keep' | 'fail'
  /** Entries of one transaction; `undefined`: all in one. */
  readonly batch: number | undefined
  /** Store also what is more than the limit, and what therefore evicts what was stored before it. */
  readonly evict: boolean
  /** Milliseconds for each transaction to begin. */
  readonly timeout: number
  readonly signal: AbortSignal
  readonly told: (entries: number) => void
}

/** What was stored, counted after its commit. */
export interface Applied {
  stored: number
  replaced: number
  /** Left as they were, with `keep`. */
  kept: number
}

const PAGE = 200
/** Of pages in memory, in all: with fewer the indexes of a large transaction are written over and over. */
const CACHE_KIB = 64 * 1024

/**
 * Stores what a stage holds: in one transaction, or in several. What was not committed is rolled back, with the files
 * back in the stage.
 *
 * @param applied counts as it goes on, so that whoever is interrupted can say how far it came
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

/** @throws RangeError when it would be evicted as soon as it is stored */
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

/** Stores in transactions that have begun, which stay open unless this fails. */
async function storeRows(
  handle: CacheHandle,
  stage: Stage,
  sessions: readonly Session[],
  { after, limit, signal, onConflict, told }: Batch,
  counts: Applied,
): Promise<void> {
  const files: [Session, Required<PendingFile>][] = []
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
      // Own rows need not be passed over when something is evicted: nothing is, before the commit.
      for (const session of sessions) session.stored.length = 0
      told(rows.length)
      // Signals are heard between turns only.
      await turn()
      signal.throwIfAborted()
      if (rows.length < PAGE) break
    }
    // Last, so that a process which is killed before leaves no file that nobody names.
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
 * The instant at which an entry was stored, with microseconds of its own: with its rowid it is the version of the row,
 * which must not be that of another one that somebody remembers.
 */
function ownInstant(seconds: number): number {
  return (Math.floor(seconds * 1000) + Math.random()) / 1000
}

/** Evicts in pages until the limits hold, also when all shall end: what was stored was stored. Answers how many went. */
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

/** How many of the staged keys are there already. */
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
