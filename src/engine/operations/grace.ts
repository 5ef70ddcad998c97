import type { Session } from '../database/session.js'

/** Bytes that wait for the end of their grace, as a part of the shard's limit. */
const GRACE_SHARE = 0.1

type LaterRow = readonly [filename: string, size: number]

/** Bytes of value files that no entry names and that are still readable by name. */
export function graceBytes(session: Session): number {
  return session.unlinkLater ? Number(session.statements.get('laterSize')) : 0
}

/** Unlinks the files whose grace is over, and the oldest of those that take more than their share. */
export function endGrace(session: Session, now: number): void {
  if (!session.unlinkLater) return
  unlinkRows(session, session.statements.all<LaterRow>('laterDue', now))
  const surplus = graceBytes(session) - session.settings.sizeLimit * GRACE_SHARE
  if (surplus > 0) unlinkOldest(session, surplus)
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

/** Unlinks every file in grace. */
export function endAllGrace(session: Session): void {
  if (session.unlinkLater) unlinkOldest(session, Number.POSITIVE_INFINITY)
}

function unlinkRows(session: Session, rows: readonly LaterRow[]): void {
  for (const [filename] of rows) {
    session.statements.run('laterDone', filename)
    session.afterCommit(() => session.disk.files.remove(filename))
  }
}
