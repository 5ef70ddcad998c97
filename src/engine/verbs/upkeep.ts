import { setTimeout as sleep } from 'node:timers/promises'
import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { StoredSettings } from '../database/settings.js'
import { CorruptError, TimeoutError } from '../errors.js'
import { nextTurn, turnIsLong } from '../fairness.js'
import { strangersBesideShards } from '../maintenance/strangers.js'
import { runTask } from '../maintenance/worker-client.js'
import { volume as volumeOf } from '../operations/culling.js'
import * as removal from '../operations/removal.js'
import { kindOf } from '../option-names.js'
import type { CacheStats, Finding, Settings, Tag, Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { wholeItems } from '../shards/shares.js'
import { patienceOf, readPatiently, sessionOf } from './reading.js'
import { checkVerbOptions, encodeTag, type ResolvedWaiting, resolveNow, resolveWaiting } from './verb-options.js'

type Expiring = { readonly now?: number } & Waiting

export async function count(handle: CacheHandle): Promise<number> {
  return sumOver(handle, shard => readSetting(handle, shard, 'count'))
}

export async function volume(handle: CacheHandle): Promise<number> {
  return sumOver(handle, shard => readFigure(handle, shard, () => volumeOf(sessionOf(shard))))
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
  return removeInPages(handle, options, removal.clear)
}

export async function cull(handle: CacheHandle, options: Waiting | undefined): Promise<number> {
  checkVerbOptions(options, 'cull', 'waiting')
  const now = (handle.shards[0] as Shard).disk.now()
  const expired = await removeInPages(handle, options, (session, _cursor: true | undefined) =>
    removal.expire(session, now),
  )
  const evicted = await removeInPages<true>(handle, options, (session, _cursor, shard) => {
    const { removed, more } = shard.culler.enforce(session)
    return { removed, next: more ? true : undefined }
  })
  return expired + evicted
}

export async function check(
  handle: CacheHandle,
  options: ({ readonly fix?: boolean } & Waiting) | undefined,
): Promise<Finding[]> {
  checkVerbOptions(options, 'check', 'checking')
  const { fix = false } = options ?? {}
  if (typeof fix !== 'boolean') throw new TypeError(`check: fix must be true or false, got ${kindOf(fix)}`)
  if (fix) handle.assertWritable()
  const { wait, signal } = resolveWaiting(options, Math.max(handle.options.timeout, 60_000), false)
  const timeout = Math.min(wait, 2 ** 31 - 1)
  const isFanout = handle.kind === 'FanoutCache'
  try {
    await writesBefore(handle, timeout, signal)
    const shards = handle.shards.map(({ directory, disk }) => ({ directory, prefix: disk.pathPrefix }))
    const findings = await runTask({ task: 'check', shards, fix, timeout, goesOn: isFanout }, { signal })
    if (findings.some(({ kind }) => kind === 'locked')) handle.gaveUp()
    const outcome = fix ? await setAsideDamaged(handle, findings) : findings
    return [...(isFanout ? strangersBesideShards(handle.directory) : []), ...outcome]
  } catch (error) {
    if (signal?.aborted) throw error
    throw (handle.shards[0] as Shard).translate(error)
  }
}

/** Moves databases aside that a check could not repair, where the cache does so whenever it meets such damage. */
async function setAsideDamaged(handle: CacheHandle, findings: readonly Finding[]): Promise<Finding[]> {
  const moved = new Set<string | undefined>()
  for (const shard of handle.shards) {
    const { directory, disk, identity, options } = shard
    const path = disk.pathPrefix.replace(/\/$/, '') || undefined
    const isOfShard = (finding: Finding): boolean => isBroken(finding) && finding.path === path
    if (options.onCorrupt !== 'quarantine' || !findings.some(isOfShard)) continue
    shard.reopen(new CorruptError(directory, 'it was found damaged by a check'))
    await shard.open()
    // One that proves sound stays.
    if (shard.identity !== identity) moved.add(path)
  }
  return findings.map(finding =>
    isBroken(finding) && moved.has(finding.path)
      ? { ...finding, message: `${finding.message}: moved aside`, fixed: true }
      : finding,
  )
}

function isBroken({ kind, fixed }: Finding): boolean {
  return kind === 'integrity' && !fixed
}

/** Waits for the writes that were called before, and for their files: at most so long, since a lock may hold them up. */
async function writesBefore(handle: CacheHandle, timeout: number, signal: AbortSignal | undefined): Promise<void> {
  const writes = handle.shards.filter(({ writer }) => writer.length > 0).map(({ writer }) => writer.settled())
  if (writes.length === 0) return
  const end = new AbortController()
  const signals = signal ? [signal, end.signal] : [end.signal]
  const late = sleep(timeout, undefined, { signal: AbortSignal.any(signals) }).catch(() => signal?.throwIfAborted())
  try {
    await Promise.race([Promise.all(writes), late])
  } finally {
    end.abort()
  }
}

export async function stats(
  handle: CacheHandle,
  options: { readonly reset?: boolean } | undefined,
): Promise<CacheStats> {
  checkVerbOptions(options, 'stats', 'resetting')
  const { reset = false } = options ?? {}
  if (typeof reset !== 'boolean') throw new TypeError(`stats: reset must be true or false, got ${kindOf(reset)}`)
  const { shards } = handle
  const figures = {
    hits: await sumOver(handle, async shard => (await readSetting(handle, shard, 'hits')) + shard.marks.hits),
    misses: await sumOver(handle, async shard => (await readSetting(handle, shard, 'misses')) + shard.marks.misses),
    evictions: await sumOver(handle, async shard =>
      shard.settings.statistics ? readSetting(handle, shard, 'evictions') : shard.culler.evictions,
    ),
    timeouts: handle.timeouts,
    count: await count(handle),
    volume: await volume(handle),
    ...(handle.memory && { memory: handle.memory.figures }),
  }
  if (reset) handle.memory?.resetFigures()
  if (reset) handle.timeouts = 0
  if (reset) await Promise.all(shards.map(shard => resetStats(handle, shard)))
  return figures
}

export async function settings(handle: CacheHandle): Promise<Settings> {
  const { shards } = handle
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
        // What was known last.
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

/** Changes of settings are not refused: a FanoutCache waits for them, unless told how long. */
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
 * Removes in pages, each a transaction of its own. The first page keeps its place in the order of calls; the later
 * ones concern only rows that were there then, so that what is called meanwhile need not wait for them.
 *
 * @throws TimeoutError with the number of rows removed so far
 */
export async function removeInPages<Cursor>(
  handle: CacheHandle,
  options: Waiting | undefined,
  step: PageStep<Cursor>,
): Promise<number> {
  handle.assertWritable()
  const waiting = resolveWaiting(options, handle.options.timeout, false)
  const outcomes = await Promise.allSettled(handle.shards.map(shard => removeFrom(handle, shard, waiting, step)))
  const removed = outcomes.reduce(
    (sum, outcome) => sum + (outcome.status === 'fulfilled' ? outcome.value : partOf(outcome.reason)),
    0,
  )
  const failure = outcomes.find(outcome => outcome.status === 'rejected')?.reason
  if (failure === undefined) return removed
  if (!(failure instanceof TimeoutError)) throw failure
  handle.refusal(new TimeoutError(handle.directory, removed), { refused: removed })
  return removed
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
      // Each page waits anew: progress is what the caller waits for.
      const deadline = waiting.wait === Number.POSITIVE_INFINITY ? waiting.wait : performance.now() + waiting.wait
      const page = await shard.write(
        { run: session => step(session, at, shard), barrier },
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

/** A figure has its place among the writes; a FanoutCache leaves out the shard where it cannot be read in time. */
async function readFigure(handle: CacheHandle, shard: Shard, read: () => number): Promise<number> {
  return (await handle.read(shard, undefined, { timeout: patienceOf(handle) }, read)) ?? 0
}

async function sumOver(handle: CacheHandle, read: (shard: Shard) => Promise<number>): Promise<number> {
  const figures = await Promise.all(handle.shards.map(read))
  return figures.reduce((sum, figure) => sum + figure, 0)
}

/** One view of the settings of all shards: limits are added up. */
function wholeSettings(stored: readonly StoredSettings[]): Settings {
  const first = stored[0] as StoredSettings
  return {
    statistics: first.statistics,
    tagIndex: first.tagIndex,
    evictionPolicy: first.evictionPolicy,
    sizeLimit: stored.reduce((sum, { sizeLimit }) => sum + sizeLimit, 0),
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
