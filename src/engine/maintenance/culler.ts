import { EVICTION_POLICIES } from '../database/eviction-policies.js'
import { giveWay } from '../database/giving-way.js'
import type { Session } from '../database/session.js'
import { exceedsLimits, keepLimits, removeExpired, type Victim } from '../operations/culling.js'
import type { Shard } from '../shards/shard.js'
import { UpkeepNotice } from './upkeep-notice.js'

/** Evicting holds the transaction no longer than this; the rest follows in transactions of its own. */
const CULL_MILLISECONDS = 3
/** A look at the volume costs as much as a read, so that it is taken when the limit may be near, or after this time. */
const LOOK_MILLISECONDS = 20
/** What a row may take beyond its value: its cells in the table and the indexes. */
const ROW_BYTES = 1024
const MARKS_BEFORE_EVICTION = 2000

/** Keeps one shard under its limits: after the writes of each batch, and in pages while that was not enough. */
export class Culler {
  /** While somebody keeps the shard up beside requests, writes leave what has expired to them. */
  readonly upkeep: UpkeepNotice
  readonly #shard: Shard
  #slack = 0
  #lookedAt = Number.NEGATIVE_INFINITY
  #following = false
  evictions = 0

  constructor(shard: Shard) {
    this.#shard = shard
    this.upkeep = new UpkeepNotice(shard)
  }

  /** Runs once per batch: expired rows go first, then the policy's. DiskCache's cull limit 0 switches both off. */
  afterWrites(session: Session): void {
    const { cullLimit } = session.settings
    if (!session.grew || cullLimit === 0) return
    const upkept = this.upkeep.inForce
    if (upkept) session.afterCommit(giveWay)
    else this.#removeExpired(session)
    this.#slack -= session.stored.length * ROW_BYTES + session.bytes
    const now = performance.now()
    if (this.#slack > 0 && now - this.#lookedAt < LOOK_MILLISECONDS && session.settings.maxItems === null) return
    this.#lookedAt = now
    // What has expired goes before what is alive.
    if (upkept && exceedsLimits(session)) this.#removeExpired(session)
    if (this.enforce(session).more) this.#follow()
  }

  /**
   * Evicts for a while. Answers how many rows, and whether more are to go.
   *
   * @param how for how long, and which part of the limits may be in use afterwards
   */
  enforce(
    session: Session,
    { milliseconds = CULL_MILLISECONDS, share = 1 }: { readonly milliseconds?: number; readonly share?: number } = {},
  ): { readonly removed: number; readonly more: boolean } {
    const { victims, more, slack } = keepLimits(session, milliseconds, () => this.#sharpenOrder(session), share)
    this.#slack = slack
    this.report(session, victims)
    return { removed: victims.length, more }
  }

  /** Counts what a transaction evicts, and tells it when that is committed. */
  report(session: Session, victims: readonly Victim[]): void {
    const evicted = victims.filter(({ key }) => key !== null)
    if (evicted.length === 0) return
    if (session.settings.statistics) session.statements.run('addEvictions', BigInt(evicted.length))
    session.afterCommit(() => this.tell(evicted))
  }

  /** Tells what was evicted, here or in the thread of upkeep. */
  tell(evicted: readonly Victim[]): void {
    this.evictions += evicted.length
    this.#shard.events.evicted(evicted)
  }

  /** The settings changed, or others filled the directory. */
  lookSoon(): void {
    this.#slack = 0
  }

  #removeExpired(session: Session): void {
    removeExpired(session, this.#shard.disk.now(), session.settings.cullLimit * Math.max(1, session.stored.length))
  }

  /** What was read since the last write counts for the order too. */
  #sharpenOrder(session: Session): void {
    const { marks, disk } = this.#shard
    const { marks: kind } = EVICTION_POLICIES[session.settings.evictionPolicy]
    if (kind && marks.dirty) marks.write(session, disk.now(), MARKS_BEFORE_EVICTION, true)
  }

  #follow(): void {
    if (this.#following) return
    this.#following = true
    const page = (): void => {
      this.#shard.write({ run: session => this.enforce(session) }, { deadline: Number.POSITIVE_INFINITY }).then(
        ({ more }) => {
          this.#following = more
          if (more) page()
        },
        error => {
          this.#following = false
          this.#shard.events.failed(error as Error)
        },
      )
    }
    page()
  }
}
