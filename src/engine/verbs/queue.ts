import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import type { EntryRow } from '../database/statements.js'
import { peek, peekItem, pull } from '../operations/queue.js'
import { kindOf } from '../option-names.js'
import type { Item, Pulling, Waiting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { itemOf, toInfo } from './reading.js'
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
  return look<T>(handle, options, (session, now) => peek(session, head, side, now))
}

/** Checks the options of `peekItem` and returns whether the last entry is wanted. @throws TypeError */
export function checkPeekItem(options: ({ readonly last?: boolean } & Waiting) | undefined): boolean {
  checkVerbOptions(options, 'peekItem', 'peeking')
  const { last = true } = options ?? {}
  if (typeof last !== 'boolean') throw new TypeError(`peekItem: last must be true or false, got ${kindOf(last)}`)
  return last
}

export async function peekLast<T>(
  handle: CacheHandle,
  options: ({ readonly last?: boolean } & Waiting) | undefined,
): Promise<Item<T> | undefined> {
  const last = checkPeekItem(options)
  return look<T>(handle, options, (session, now) => peekItem(session, last, now))
}

/**
 * Reads a row and removes expired ones on the way. A row whose file is missing is removed as well, so that the search
 * ends. A file may also be missing because somebody has just taken the row.
 */
async function look<T>(
  handle: CacheHandle,
  options: Waiting | undefined,
  find: (session: Session, now: number) => EntryRow | undefined,
): Promise<Item<T> | undefined> {
  const shard = handle.shards[0] as Shard
  for (;;) {
    const now = shard.disk.now()
    const run = (session: Session): (Looked & { readonly info: ReturnType<typeof toInfo> }) | undefined => {
      const row = find(session, now)
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
