import type { Session } from '../database/session.js'
import { isBusy } from '../database/sqlite-errors.js'
import { sweep, sweepIfDue } from '../maintenance/sweep.js'
import { exceedsLimits, removeExpired } from '../operations/culling.js'
import { endGrace } from '../operations/grace.js'
import type { Shard } from '../shards/shard.js'
import { sleep as pause, performance } from '../timers.js'

/** Rows in one transaction: few, with a pause after them, so that requests get the lock in between. */
const ROWS_PER_PAGE = 50
const PAGE_MILLISECONDS = 1
const PAUSE_MILLISECONDS = 2
/** Smaller shards are kept at their limit, since a share less would be most of what they can hold. Bytes. */
const SMALL_SHARD = 2 ** 20
/** The share of free pages that is kept for further writes, and the number of pages returned at a time. */
const SPARE_PAGES = 1 / 16
const PAGES_AT_ONCE = 64

/** The lease under which a round works. */
export interface Leading {
  readonly stopping: { readonly requested: boolean }
  /** The longest wait of a page for the lock. Milliseconds. */
  readonly patience: number
  readonly target: number
  /** Resolves when this process has the lease. @throws LeaseGone when it does not */
  hold(): Promise<void>
}

/** Thrown when another process has the lease, or this one should stop. */
export class LeaseGone extends Error {}

export interface Tally {
  expired: number
  evicted: number
  orphans: number
  vacuumed: number
}

interface PageResult {
  readonly count: number
  readonly more: boolean
}

/** One step of a round: whether there is something to do, and a page of that work. */
interface Step {
  readonly isDue: (session: Session) => boolean
  readonly page: (session: Session) => PageResult
}

/**
 * Runs a round over one shard.
 *
 * @param tally receives the totals
 * @param sweepNow whether to look for orphans even if that was done within the hour
 * @throws the errors of the shard
 */
export async function keepUp(
  shard: Shard,
  leading: Leading,
  { tally, sweepNow }: { readonly tally: Tally; readonly sweepNow: boolean },
): Promise<void> {
  unlessBusy(() => shard.refreshSettings())
  // Shards are worked on concurrently, so the total is read after the await.
  const expired = await inPages(shard, leading, EXPIRE)
  tally.expired += expired
  const evicted = await inPages(shard, leading, evicting(shard, leading.target))
  tally.evicted += evicted
  const vacuumed = shard.settings.autoVacuum === 2 ? await inPages(shard, leading, VACUUM) : 0
  tally.vacuumed += vacuumed
  const orphans = await (sweepNow ? sweep : sweepIfDue)(shard, leading.stopping)
  tally.orphans += orphans
}

const EXPIRE: Step = {
  isDue: session => session.unlinkLater || session.statements.all('expired', session.disk.now()).length > 0,
  page: session => {
    const most = Math.min(ROWS_PER_PAGE, session.pageRows)
    const count = removeExpired(session, session.disk.now(), most)
    const graces = endGrace(session, session.disk.now())
    return { count, more: graces || count === most }
  },
}

const VACUUM: Step = {
  isDue: session => surplusPages(session) > 0,
  page: session => {
    const free = Number(session.statements.get('freePages'))
    session.db.pragma(`incremental_vacuum(${Math.min(surplusPages(session), PAGES_AT_ONCE)})`)
    const count = Math.max(0, free - Number(session.statements.get('freePages')))
    return { count, more: count > 0 && surplusPages(session) > 0 }
  },
}

function evicting(shard: Shard, target: number): Step {
  const share = shard.settings.sizeLimit < SMALL_SHARD ? 1 : target
  return {
    isDue: session => exceedsLimits(session, share),
    page: session => {
      const { removed, more } = shard.culler.enforce(session, { share, milliseconds: PAGE_MILLISECONDS })
      return { count: removed, more }
    },
  }
}

async function inPages(shard: Shard, leading: Leading, { isDue, page }: Step): Promise<number> {
  for (let total = 0; ; ) {
    await leading.hold()
    const { current } = shard
    // Checked without the write lock, since most rounds of most caches have nothing to do.
    if (current && unlessBusy(() => !isDue(current))) return total
    const { count, more } = await shard.write(
      { run: page, inPages: true },
      { deadline: performance.now() + leading.patience },
    )
    total += count
    if (!more) return total
    await pause(PAUSE_MILLISECONDS)
  }
}

/** Runs a read. `undefined` when a commit of others blocks it, with a rollback journal. Writes wait for that commit. */
function unlessBusy<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (isBusy(error)) return undefined
    throw error
  }
}

function surplusPages({ statements }: Session): number {
  const free = Number(statements.get('freePages'))
  return Math.max(0, Math.floor(free - Number(statements.get('pageCount')) * SPARE_PAGES))
}
