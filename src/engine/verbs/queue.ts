import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { EntryRow } from '../database/statements.js'
import { isLive } from '../operations/entries.js'
import { peek, peekItem, pull, queueRows, storedRows } from '../operations/queue.js'
import { kindOf } from '../option-names.js'
import type { Item, Peeking, Pulling, Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { performance } from '../timers.js'
import { withValue } from './peeking.js'
import { itemOf, sessionOf, toInfo, withItsTags } from './reading.js'
import { checkQueue, type HeadOf } from './storing.js'
import { type Looked, lookAt, lookedValue, takeOut, toItem } from './taking.js'
import { checkVerbOptions } from './verb-options.js'

/** Takes the first value of a queue, skipping values whose file is missing. */
export async function pullValue<T>(
  handle: CacheHandle,
  options: Pulling | undefined,
  headOf?: HeadOf,
): Promise<Item<T> | undefined> {
  checkVerbOptions(options, 'pull', 'pulling')
  const { head, side } = checkQueue(options, 'front', headOf)
  const shard = handle.shards[0] as Shard
  for (;;) {
    const now = shard.disk.now()
    const run = (session: Session): ReturnType<typeof takeOut> =>
      takeOut(shard, session, pull(session, head, side, now))
    const taken = await handle.write(shard, { run, barrier: true }, { options, refused: undefined })
    const item = await toItem<T>(taken)
    if (item || !taken) return item
  }
}

/** Reads the value that `pull` would take. */
export async function peekValue<T>(
  handle: CacheHandle,
  options: Pulling | undefined,
  headOf?: HeadOf,
): Promise<Item<T> | undefined> {
  checkVerbOptions(options, 'peek', 'pulling')
  const { head, side } = checkQueue(options, 'front', headOf)
  return look<T>(handle, options, {
    rows: session => queueRows(session, head, side),
    find: (session, now) => peek(session, head, side, now),
  })
}

/** Checks the options of `peekItem` and returns whether the last entry is wanted. @throws TypeError */
export function checkPeekItem(options: Peeking | undefined): boolean {
  checkVerbOptions(options, 'peekItem', 'peeking')
  return checkLast(options, 'peekItem')
}

/** Returns whether the last entry is wanted, and not the first. @throws TypeError */
export function checkLast(options: Pick<Peeking, 'last'> | undefined, verb: string): boolean {
  const { last = true } = options ?? {}
  if (typeof last === 'boolean') return last
  throw new TypeError(`${verb}: last must be true or false, got ${kindOf(last)}`)
}

export async function peekLast<T>(handle: CacheHandle, options: Peeking | undefined): Promise<Item<T> | undefined> {
  const last = checkPeekItem(options)
  return look<T>(handle, options, {
    rows: session => storedRows(session, last),
    find: (session, now) => peekItem(session, last, now),
  })
}

/** How an end is looked at. */
interface End {
  /** The rows from the end on. */
  rows(session: Session): Iterator<EntryRow, undefined>
  /** Removes the expired rows at the end and returns the first live one. */
  find(session: Session, now: number): EntryRow | undefined
}

/** Limit of expired rows that a read passes over without giving way. More are removed first. */
const MOST_PASSED = 100
/** How long a read waits for the lock to remove the expired rows that it has passed. Milliseconds. */
const TIDYING = 50
const UNSETTLED = Symbol('rows at the end must be removed before it can be read')

/** The first value from an end on. `passed`: how many expired rows lie before it. */
interface Seen<T> {
  readonly item: Item<T> | undefined
  readonly passed: number
}

/**
 * Reads the row at an end without a lock, passing over expired rows, so that it never sees a write that is called after
 * it. They are removed afterwards, so that they are not met again.
 */
async function look<T>(handle: CacheHandle, options: Waiting | undefined, end: End): Promise<Item<T> | undefined> {
  const shard = handle.shards[0] as Shard
  const mayWrite = !handle.options.readonly
  const seen = await handle.read(shard, undefined, options, () => see<T>(shard, end, mayWrite))
  if (seen === UNSETTLED) return lookAmongWrites(handle, options, end)
  if (mayWrite && seen && seen.passed > 0) {
    const run = (session: Session): void => void end.find(session, shard.disk.now())
    // What was read does not depend on it.
    await shard
      .write({ run, barrier: true, optional: true }, { deadline: performance.now() + TIDYING })
      .catch(() => undefined)
  }
  return seen?.item
}

/**
 * Removes rows that have expired or whose file is missing, and reads the row behind them. A file may also be missing
 * because somebody has just taken the row.
 */
async function lookAmongWrites<T>(
  handle: CacheHandle,
  options: Waiting | undefined,
  end: End,
): Promise<Item<T> | undefined> {
  const shard = handle.shards[0] as Shard
  for (;;) {
    const now = shard.disk.now()
    const run = (session: Session): (Looked & { readonly info: ReturnType<typeof toInfo> }) | undefined => {
      const row = end.find(session, now)
      if (!row) return undefined
      const { file } = lookAt(shard, session, row)
      return { row, file, info: toInfo(session, row) }
    }
    const found = await handle.write(shard, { run, barrier: true }, { options, refused: undefined })
    if (!found) return undefined
    const known = await lookedValue(shard, found)
    if (known) return itemOf<T>(found.info, known.value)
  }
}

/** The first row that has a value. `UNSETTLED` when rows before it should be removed first, and may be. */
async function see<T>(shard: Shard, end: End, mayWrite: boolean): Promise<Seen<T> | typeof UNSETTLED> {
  const session = sessionOf(shard)
  const rows = end.rows(session)
  for (let passed = 0; ; ) {
    const next = withItsTags(session, () => {
      const row = rows.next().value
      return row && { row, info: toInfo(session, row) }
    })
    if (!next) return { item: undefined, passed }
    if (!isLive(next.row[4], shard.disk.now())) {
      passed++
      if (mayWrite && passed === MOST_PASSED) return UNSETTLED
      continue
    }
    const item = await withValue(session, next)
    if (item) return { item: item as Item<T>, passed }
    if (mayWrite) return UNSETTLED
  }
}
