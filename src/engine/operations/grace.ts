import type { Session } from '../database/session.js'

/** Bytes that wait for the end of their grace, as a part of the shard's limit. */
const GRACE_SHARE = 0.1
const PAGE_MILLISECONDS = 3
/** As the statement says. */
const PAGE_ROWS = 64

type LaterRow = readonly [filename: string, size: number]

/** Bytes of value files that no entry names and that are still readable by name. */
export function graceBytes(session: Session): number {
  return session.unlinkLater ? Number(session.statements.get('laterSize')) : 0
}

/**
 * Keeps a file that no entry names any more for a while. Who closes ends the grace of its own files, and not that of
 * others', which somebody may be about to open: what this process let go is remembered until it is over.
 */
export function beginGrace(session: Session, filename: string, size: number, due: number): void {
  session.statements.run('later', filename, size, due)
  session.graceRoom -= size
  session.afterCommit(() => {
    session.letGo.set(filename, due)
  })
}

/**
 * Unlinks the files whose grace is over, and the oldest of those that take more than their share. Answers whether there
 * are more whose grace is over.
 */
export function endGrace(session: Session, now: number): boolean {
  if (!session.unlinkLater) return false
  for (const [filename, due] of session.letGo) {
    if (due > now) break
    session.letGo.delete(filename)
  }
  const until = performance.now() + PAGE_MILLISECONDS
  for (let isLast = false; !isLast; ) {
    const rows = session.statements.all<LaterRow>('laterDue', now)
    unlinkRows(session, rows)
    isLast = rows.length < PAGE_ROWS
    if (!isLast && performance.now() > until) return true
  }
  // What others let go meanwhile counts, too, and so does another limit.
  session.graceRoom = -1
  capGrace(session)
  return false
}

/** Unlinks the oldest of the files in grace, if they may take more than their share. */
export function capGrace(session: Session): void {
  if (session.graceRoom >= 0 || !session.unlinkLater) return
  const room = session.settings.sizeLimit * GRACE_SHARE - graceBytes(session)
  if (room < 0) unlinkOldest(session, -room)
  session.graceRoom = Math.max(0, room)
}

/** Whether there is something for `endOwnGrace`. */
export function hasOwnGrace(session: Session, now: number): boolean {
  return session.unlinkLater && (session.letGo.size > 0 || session.statements.all('laterDue', now).length > 0)
}

/** Unlinks what is over, and all that this process let go. */
export function endOwnGrace(session: Session, now: number): void {
  while (endGrace(session, now));
  for (const filename of session.letGo.keys()) {
    if (session.statements.run('laterDone', filename) > 0) {
      session.afterCommit(() => session.disk.files.remove(filename))
    }
  }
}

/** Unlinks files in grace, oldest first, until `bytes` are freed. */
export function unlinkOldest(session: Session, bytes: number): void {
  for (let left = bytes; left > 0; ) {
    const rows = session.statements.all<LaterRow>('laterOldest')
    if (rows.length === 0) return
    const needed: LaterRow[] = []
    for (const row of rows) {
      if (left <= 0) break
      needed.push(row)
      left -= Math.max(row[1], 1)
    }
    unlinkRows(session, needed)
  }
}

function unlinkRows(session: Session, rows: readonly LaterRow[]): void {
  for (const [filename] of rows) {
    session.statements.run('laterDone', filename)
    session.letGo.delete(filename)
    session.afterCommit(() => session.disk.files.remove(filename))
  }
}
