import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import { TimeoutError } from '../errors.js'
import * as removal from '../operations/removal.js'
import type { Expiring, Tag, Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { performance } from '../timers.js'
import { checkVerbOptions, encodeTag, type ResolvedWaiting, resolveNow, resolveWaiting } from './verb-options.js'

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

type CullPhase = 'expire' | 'enforce'

export async function cull(handle: CacheHandle, options: Waiting | undefined): Promise<number> {
  checkVerbOptions(options, 'cull', 'waiting')
  const now = (handle.shards[0] as Shard).disk.now()
  return removeInPages(handle, options, (session, phase: CullPhase | undefined, shard): removal.Page<CullPhase> => {
    if (phase === 'enforce') {
      const { removed, more } = shard.culler.enforce(session, { milliseconds: removal.PAGE_MILLISECONDS })
      return { removed, next: more ? 'enforce' : undefined }
    }
    const { removed, next } = removal.expire(session, now)
    return { removed, next: next ? 'expire' : 'enforce' }
  })
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
      const deadline = performance.now() + waiting.wait
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
