import { setTimeout as pause } from 'node:timers/promises'
import { isBusy } from '../database/busy.js'
import type { Session } from '../database/session.js'
import { sweepIfDue } from '../maintenance/sweep.js'
import { exceedsLimits, removeExpired } from '../operations/culling.js'
import { endGrace } from '../operations/grace.js'
import type { Shard } from '../shards/shard.js'

/** Few rows in each transaction, and a pause after it, so that requests get the lock in between. */
const ROWS_PER_PAGE = 50
const PAGE_MILLISECONDS = 1
const PAUSE_MILLISECONDS = 2
/** Smaller shards are kept at their limit: a part less would be most of what they can hold. */
const SMALL_SHARD = 2 ** 20
/** Free pages that stay for what comes next, as a part of all, and how many go at a time. */
const SPARE_PAGES = 1 / 16
const PAGES_AT_ONCE = 64

/** Who works, and until when. */
export interface Leading {
  readonly stopping: { readonly requested: boolean }
  /** Milliseconds that a page waits for the lock. */
  readonly patience: number
  readonly target: number
  /** Resolves when the lease is this process's. @throws LeaseGone when it is not */
  hold(): Promise<void>
}

/** The lease is another process's, or this one is to stop. */
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

/** One step of a round: is there something to do, and a page of it. */
interface Step {
  readonly isDue: (session: Session) => boolean
  readonly page: (session: Session) => PageResult
}

/** A round over one shard. What it throws is the shard's. @param sweep whether to look for orphans before an hour is over */
export async function keepUp(shard: Shard, leading: Leading, tally: Tally, sweep: boolean): Promise<void> {
  unlessBusy(() => shard.refreshSettings())
  // Shards are worked on side by side: a sum is read when its part is known.
  const expired = await inPages(shard, leading, EXPIRE)
  tally.expired += expired
  const evicted = await inPages(shard, leading, evicting(shard, leading.target))
  tally.evicted += evicted
  const vacuumed = shard.settings.autoVacuum === 2 ? await inPages(shard, leading, VACUUM) : 0
  tally.vacuumed += vacuumed
  const orphans = await sweepIfDue(shard, leading.stopping, sweep)
  tally.orphans += orphans
}

const EXPIRE: Step = {
  isDue: session => session.unlinkLater || session.statements.all('expired', session.disk.now()).length > 0,
  page: session => {
    const count = removeExpired(session, session.disk.now(), ROWS_PER_PAGE)
    const graces = endGrace(session, session.disk.now())
    return { count, more: graces || count === ROWS_PER_PAGE }
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
    // Without the lock of writes: in most rounds of most caches there is nothing to do.
    if (current && unlessBusy(() => !isDue(current))) return total
    const { count, more } = await shard.write({ run: page }, { deadline: performance.now() + leading.patience })
    total += count
    if (!more) return total
    await pause(PAUSE_MILLISECONDS)
  }
}

/** With a rollback journal a commit of others is in the way of reads; what writes waits for it. */
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
