import type { Session } from '../database/session.js'
import { performance } from '../timers.js'

/** Limit of bytes in grace, as a share of the limit of the shard. */
const GRACE_SHARE = 0.1
const PAGE_MILLISECONDS = 3
/** The page size of the statements. */
const PAGE_ROWS = 64

type LaterRow = readonly [filename: string, size: number]

/** Bytes of value files in grace: no entry names them, but they are still readable by name. */
export function graceBytes(session: Session): number {
  return session.unlinkLater ? Number(session.statements.get('laterSize')) : 0
}

/**
 * Puts a file that no entry names any more into grace. Closing ends the grace of the files of this process, so these
 * are remembered. Files of other processes stay, because somebody may be about to open them.
 */
export function beginGrace(session: Session, filename: string, size: number, due: number): void {
  session.statements.run('later', filename, size, due)
  session.graceRoom -= size
  session.afterCommit(() => {
    session.letGo.set(filename, due)
  })
}

/**
 * Unlinks the files whose grace is over, and the oldest files beyond the limit of bytes. Returns whether there are more
 * whose grace is over.
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
  // Computed anew, since other processes add files and the limit may change.
  session.graceRoom = -1
  capGrace(session)
  return false
}

/** Unlinks the oldest files in grace, if they may exceed their limit. */
export function capGrace(session: Session): void {
  if (session.graceRoom >= 0 || !session.unlinkLater) return
  const room = session.settings.sizeLimit * GRACE_SHARE - graceBytes(session)
  if (room < 0) unlinkOldest(session, -room)
  session.graceRoom = Math.max(0, room)
}

/** Whether `endOwnGrace` has something to do. */
export function hasOwnGrace(session: Session, now: number): boolean {
  return session.unlinkLater && (session.letGo.size > 0 || session.statements.all('laterDue', now).length > 0)
}

/** Unlinks the files whose grace is over and all files that this process put into grace. */
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
