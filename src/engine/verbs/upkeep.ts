import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { StoredSettings } from '../database/settings.js'
import { TimeoutError } from '../errors.js'
import { nextTurn, turnIsLong } from '../fairness.js'
import { volume as volumeOf } from '../operations/culling.js'
import * as removal from '../operations/removal.js'
import { kindOf } from '../option-names.js'
import type { CacheStats, Expiring, Settings, StatsOptions, Tag, Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { wholeItems, wholeSize } from '../shards/shares.js'
import { performance } from '../timers.js'
import { patienceOf, readPatiently, sessionOf } from './reading.js'
import { checkVerbOptions, encodeTag, type ResolvedWaiting, resolveNow, resolveWaiting } from './verb-options.js'

/** Registers a verb that runs over several turns of the loop, so that closing waits for it. */
export function whole<T>({ shards }: CacheHandle, work: Promise<T>): Promise<T> {
  for (const shard of shards) shard.closing.track(work)
  return work
}

export async function count(handle: CacheHandle, shards: readonly Shard[] = handle.shards): Promise<number> {
  return sumOver(shards, shard => readSetting(handle, shard, 'count'))
}

export async function volume(handle: CacheHandle, shards: readonly Shard[] = handle.shards): Promise<number> {
  return sumOver(shards, shard => readFigure(handle, shard, () => volumeOf(sessionOf(shard))))
}

export async function expire(handle: CacheHandle, options: Expiring | undefined): Promise<number> {
  checkVerbOptions(options, 'expire', 'expiring')
  // One instant for all shards.
  const now = resolveNow(options?.now) ?? (handle.shards[0] as Shard).disk.now()
  return removeInPages(handle, options, (session, _cursor: true | undefined) => removal.expire(session, now))
}

export async function evict(handle: CacheHandle, tag: Tag, options: Waiting | undefined): Promise<number> {
  checkVerbOptions(options, 'evict', 'waiting')
  const encoded = encodeTag(tag)
  return removeInPages(handle, options, (session, cursor: removal.TagCursor | undefined) =>
    removal.evict(session, encoded, cursor),
  )
}

export async function clear(handle: CacheHandle, options: Waiting | undefined): Promise<number> {
  checkVerbOptions(options, 'clear', 'waiting')
  const { shards } = handle
  const removed = await removeInPages(handle, options, removal.clear)
  // What was stored meanwhile is read again. All else would take room until somebody asks for its key.
  for (const { memory } of shards) memory?.forgetAll()
  return removed
}

export function cull(handle: CacheHandle, options: Waiting | undefined): Promise<number> {
  return whole(handle, cullAll(handle, options))
}

async function cullAll(handle: CacheHandle, options: Waiting | undefined): Promise<number> {
  checkVerbOptions(options, 'cull', 'waiting')
  const { shards } = handle
  const now = (shards[0] as Shard).disk.now()
  const expired = await removeInPages(handle, options, (session, _cursor: true | undefined) =>
    removal.expire(session, now),
  )
  const enforce: PageStep<true> = (session, _cursor, shard) => {
    const { removed, more } = shard.culler.enforce(session, { milliseconds: removal.PAGE_MILLISECONDS })
    return { removed, next: more ? true : undefined }
  }
  return expired + (await removeInPages(handle, options, enforce, shards))
}

export function stats(handle: CacheHandle, options: StatsOptions | undefined): Promise<CacheStats> {
  return whole(handle, figuresOf(handle, options))
}

async function figuresOf(handle: CacheHandle, options: StatsOptions | undefined): Promise<CacheStats> {
  checkVerbOptions(options, 'stats', 'resetting')
  const { reset = false } = options ?? {}
  if (typeof reset !== 'boolean') throw new TypeError(`stats: reset must be true or false, got ${kindOf(reset)}`)
  const { shards, memory, timeouts } = handle
  const figures = {
    hits: await sumOver(shards, async shard => (await readSetting(handle, shard, 'hits')) + shard.marks.hits),
    misses: await sumOver(shards, async shard => (await readSetting(handle, shard, 'misses')) + shard.marks.misses),
    evictions: await sumOver(shards, async shard =>
      shard.settings.statistics ? readSetting(handle, shard, 'evictions') : shard.culler.evictions,
    ),
    timeouts,
    count: await count(handle, shards),
    volume: await volume(handle, shards),
    ...(memory && { memory: memory.figures }),
  }
  if (reset) memory?.resetFigures()
  if (reset) handle.timeouts = 0
  if (reset) await Promise.all(shards.map(shard => resetStats(handle, shard)))
  return figures
}

export async function settings(handle: CacheHandle, shards: readonly Shard[] = handle.shards): Promise<Settings> {
  if (turnIsLong()) {
    const turn = nextTurn()
    for (const shard of shards) shard.closing.track(turn)
    await turn
  }
  const stored = await Promise.all(
    shards.map(shard =>
      readPatiently(shard, patienceOf(handle), () => {
        shard.refreshSettings()
        return shard.settings
      }).catch(error => {
        // A FanoutCache returns the settings known last.
        handle.unread(error)
        return shard.settings
      }),
    ),
  )
  return wholeSettings(stored)
}

async function resetStats(handle: CacheHandle, shard: Shard): Promise<void> {
  const run = (session: Session): void => {
    session.statements.run('resetHits')
    session.afterCommit(() => {
      shard.marks.hits = 0
      shard.marks.misses = 0
    })
  }
  shard.culler.evictions = 0
  await patiently(handle, shard, { run })
}

/** Writes settings. Such writes are not refused: by default a FanoutCache waits for the lock without limit. */
export async function patiently(
  handle: CacheHandle,
  shard: Shard,
  work: Parameters<Shard['write']>[0],
  waiting: ResolvedWaiting = {
    wait: handle.kind === 'FanoutCache' ? Number.POSITIVE_INFINITY : handle.options.timeout,
  },
): Promise<void> {
  try {
    await shard.write(work, { deadline: performance.now() + waiting.wait, signal: waiting.signal })
  } catch (error) {
    if (error instanceof TimeoutError) handle.gaveUp()
    throw error
  }
}

export type PageStep<Cursor> = (session: Session, cursor: Cursor | undefined, shard: Shard) => removal.Page<Cursor>

/**
 * Removes rows in pages, each in a transaction of its own. The first page keeps its place in the order of calls. Later
 * pages concern only rows that existed then, so that calls made meanwhile need not wait for them.
 *
 * @throws TimeoutError with the number of rows removed so far
 */
export async function removeInPages<Cursor>(
  handle: CacheHandle,
  options: Waiting | undefined,
  step: PageStep<Cursor>,
  shards: readonly Shard[] = handle.shards,
): Promise<number> {
  const waiting = resolveWaiting(options, handle.options.timeout)
  try {
    return await removeWithin(handle, waiting, step, shards)
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error
    return handle.refusal(error, { refused: error.removed })
  }
}

/** Like `evict`, but a FanoutCache rejects as well. */
export function evictWithin(handle: CacheHandle, tag: string, waiting: ResolvedWaiting): Promise<number> {
  return removeWithin<removal.TagCursor>(handle, waiting, (session, cursor) => removal.evict(session, tag, cursor))
}

/** Like `removeInPages`, but a FanoutCache rejects as well: for callers who must know that something was left. */
async function removeWithin<Cursor>(
  handle: CacheHandle,
  waiting: ResolvedWaiting,
  step: PageStep<Cursor>,
  shards: readonly Shard[] = handle.shards,
): Promise<number> {
  handle.assertWritable()
  const outcomes = await Promise.allSettled(shards.map(shard => removeFrom(handle, shard, waiting, step)))
  const removed = outcomes.reduce(
    (sum, outcome) => sum + (outcome.status === 'fulfilled' ? outcome.value : partOf(outcome.reason)),
    0,
  )
  const failure = outcomes.find(outcome => outcome.status === 'rejected')?.reason
  if (failure === undefined) return removed
  throw failure instanceof TimeoutError ? new TimeoutError(handle.directory, removed) : failure
}

async function removeFrom<Cursor>(
  handle: CacheHandle,
  shard: Shard,
  waiting: ResolvedWaiting,
  step: PageStep<Cursor>,
): Promise<number> {
  let removed = 0
  let cursor: Cursor | undefined
  let barrier = true
  try {
    do {
      const at = cursor
      // Each page gets the whole wait again, since the caller waits for progress.
      const deadline = waiting.wait === Number.POSITIVE_INFINITY ? waiting.wait : performance.now() + waiting.wait
      const page = await shard.write(
        { run: session => step(session, at, shard), barrier, inPages: true },
        { deadline, signal: waiting.signal },
      )
      removed += page.removed
      cursor = page.next
      barrier = false
    } while (cursor !== undefined)
    return removed
  } catch (error) {
    if (error instanceof TimeoutError) throw new TimeoutError(handle.directory, removed, { cause: error })
    throw error
  }
}

function partOf(error: unknown): number {
  return error instanceof TimeoutError ? error.removed : 0
}

function readSetting(handle: CacheHandle, shard: Shard, name: string): Promise<number> {
  return readFigure(handle, shard, () => sessionOf(shard).statements.get<number>('setting', name) ?? 0)
}

/** Reads a figure in order with the writes. A FanoutCache leaves out a shard that cannot be read in time. */
async function readFigure(handle: CacheHandle, shard: Shard, read: () => number): Promise<number> {
  return (await handle.read(shard, undefined, { timeout: patienceOf(handle) }, read)) ?? 0
}

async function sumOver(shards: readonly Shard[], read: (shard: Shard) => Promise<number>): Promise<number> {
  const figures = await Promise.all(shards.map(read))
  return figures.reduce((sum, figure) => sum + figure, 0)
}

/** Combines the settings of all shards: limits are added up. */
function wholeSettings(stored: readonly StoredSettings[]): Settings {
  const first = stored[0] as StoredSettings
  return {
    statistics: first.statistics,
    tagIndex: first.tagIndex,
    evictionPolicy: first.evictionPolicy,
    sizeLimit: wholeSize(stored),
    maxItems: wholeItems(stored),
    cullLimit: first.cullLimit,
    disk: { minFileSize: first.minFileSize, unlinkGrace: first.unlinkGrace * 1000 },
    sqlite: {
      cacheSize: first.cacheSize,
      mmapSize: first.mmapSize,
      journalMode: first.journalMode,
      synchronous: first.synchronous,
      autoVacuum: first.autoVacuum,
    },
  }
}
