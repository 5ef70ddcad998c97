import type { Session } from '../database/session.js'
import type { Extent } from '../operations/extent.js'
import { clearRange, type ExpiryCursor, evictRange, expireRange } from '../operations/key-range.js'
import { clear, evict, expire, type Page, type TagCursor } from '../operations/removal.js'
import type { Expiring, Tag } from '../options.js'
import { rangeOf } from './listing-options.js'
import { checkVerbOptions, encodeTag, resolveNow } from './verb-options.js'

/*
 * Bulk removals inside an open transaction: of all entries or, with `prefix`, of those whose string keys begin with it.
 */

/** Removes the entries that have expired by `now`, and returns how many. */
export function expireIn(
  sessions: readonly Session[],
  options: Pick<Expiring, 'now'> | undefined,
  prefix?: string,
): number {
  checkVerbOptions(options, 'expire', 'expiring')
  // One instant for all shards.
  const now = resolveNow(options?.now) ?? (sessions[0] as Session).disk.now()
  if (prefix === undefined) return removeIn<true>(sessions, session => expire(session, now))
  return removeIn<ExpiryCursor>(sessions, (session, cursor) =>
    expireRange(session, rangeOf(session, prefix), now, cursor),
  )
}

/** Removes the entries with a tag, and returns how many. */
export function evictIn(sessions: readonly Session[], tag: Tag, prefix?: string): number {
  const encoded = encodeTag(tag)
  return removeIn<TagCursor>(sessions, (session, cursor) =>
    prefix === undefined
      ? evict(session, encoded, cursor)
      : evictRange(session, rangeOf(session, prefix), encoded, cursor),
  )
}

/** Removes all entries, and returns how many. */
export function clearIn(sessions: readonly Session[], prefix?: string): number {
  return removeIn<Extent>(sessions, (session, cursor) =>
    prefix === undefined ? clear(session, cursor) : clearRange(session, rangeOf(session, prefix), cursor),
  )
}

function removeIn<Cursor>(
  sessions: readonly Session[],
  step: (session: Session, cursor: Cursor | undefined) => Page<Cursor>,
): number {
  let removed = 0
  for (const session of sessions) {
    let cursor: Cursor | undefined
    do {
      const page = step(session, cursor)
      removed += page.removed
      cursor = page.next
    } while (cursor !== undefined)
  }
  return removed
}
