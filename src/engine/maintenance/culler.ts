import { EVICTION_POLICIES } from '../database/eviction-policies.js'
import { giveWay } from '../database/giving-way.js'
import type { Session } from '../database/session.js'
import { type KeyIdentity, keyIdentity } from '../disk/keys.js'
import { exceedsLimits, type Keeping, keepLimits, removeExpired, type Victim } from '../operations/culling.js'
import type { Shard } from '../shards/shard.js'
import { performance } from '../timers.js'
import { UpkeepNotice } from './upkeep-notice.js'

/** How long eviction may extend a transaction. The rest follows in transactions of its own. */
const CULL_MILLISECONDS = 3
/** The volume is computed when the limit may be near, and after this time. It costs as much as a read. */
const LOOK_MILLISECONDS = 20
/** Upper estimate of the bytes of a row beyond its value: its cells, and what its last overflow page leaves free. */
const ROW_BYTES = 1024 + 4096
/** Upper estimate of the bytes of a character, as which the bytes of a text are counted. */
const CHARACTER_BYTES = 3
const MARKS_BEFORE_EVICTION = 2000

/** How `enforce` evicts. */
type Enforcing = Partial<Pick<Keeping, 'milliseconds' | 'share' | 'spared'>>

/** Keeps one shard under its limits: after the writes of each batch and, if that is not enough, in pages. */
export class Culler {
  /** Whether upkeep takes place. Writes then leave expired entries to it. */
  readonly upkeep: UpkeepNotice
  readonly #shard: Shard
  #slack = 0
  #lookedAt = Number.NEGATIVE_INFINITY
  #following = false
  /** The row stored last when evictions began that take several transactions. */
  #spared: KeyIdentity | undefined
  evictions = 0

  constructor(shard: Shard) {
    this.#shard = shard
    this.upkeep = new UpkeepNotice(shard)
  }

  /** Runs once per batch: removes expired rows, then evicts by the policy. A cull limit of 0 switches both off. */
  afterWrites(session: Session): void {
    const { cullLimit } = session.settings
    if (!session.grew || cullLimit === 0) return
    const upkept = this.upkeep.inForce
    if (upkept) session.afterCommit(giveWay)
    else this.#removeExpired(session)
    this.#slack -= session.stored.length * ROW_BYTES + session.bytes * CHARACTER_BYTES
    const now = performance.now()
    if (this.#slack > 0 && now - this.#lookedAt < LOOK_MILLISECONDS && session.settings.maxItems === null) return
    this.#lookedAt = now
    // Expired entries are removed before live ones are evicted.
    if (upkept && exceedsLimits(session)) this.#removeExpired(session)
    const last = session.stored.at(-1)
    const spared = last && keyIdentity(last)
    if (this.enforce(session, { spared }).more) this.#follow(spared)
  }

  /**
   * Evicts for a while. Returns how many rows were evicted and whether more must be.
   *
   * @param how for how long, which share of the limits may be in use afterwards, and which row stays in any case
   */
  enforce(session: Session, how: Enforcing = {}): { readonly removed: number; readonly more: boolean } {
    const { milliseconds = CULL_MILLISECONDS, share = 1, spared } = how
    const sharpen = (): void => this.#sharpenOrder(session)
    const { victims, more, slack } = keepLimits(session, { milliseconds, share, spared, sharpen })
    this.#slack = slack
    this.report(session, victims)
    return { removed: victims.length, more }
  }

  /** Counts the evictions of a transaction and reports them when it is committed. */
  report(session: Session, victims: readonly Victim[]): void {
    const evicted = victims.filter(({ key }) => key !== null)
    if (evicted.length === 0) return
    if (session.settings.statistics) session.statements.run('addEvictions', BigInt(evicted.length))
    this.#shard.memory?.willEvict(evicted.map(({ key, raw }) => ({ data: key, raw })))
    session.afterCommit(() => this.tell(evicted))
  }

  /** Reports evictions, of this thread or of the upkeep thread. */
  tell(evicted: readonly Victim[]): void {
    this.evictions += evicted.length
    this.#shard.events.evicted(evicted)
  }

  /** Requests a check of the limits, because settings have changed or others have filled the directory. */
  lookSoon(): void {
    this.#slack = 0
  }

  #removeExpired(session: Session): void {
    removeExpired(session, this.#shard.disk.now(), session.settings.cullLimit * Math.max(1, session.stored.length))
  }

  /** Writes the marks of reads since the last write, which count for the order too. */
  #sharpenOrder(session: Session): void {
    const { marks, disk } = this.#shard
    const { marks: kind } = EVICTION_POLICIES[session.settings.evictionPolicy]
    if (kind && marks.dirty) marks.writeAll(session, disk.now(), MARKS_BEFORE_EVICTION)
  }

  #follow(spared: KeyIdentity | undefined): void {
    this.#spared = spared
    if (this.#following) return
    this.#following = true
    const page = (): void => {
      const run = (session: Session): { readonly more: boolean } => this.enforce(session, { spared: this.#spared })
      this.#shard.write({ run, inPages: true }, { deadline: Number.POSITIVE_INFINITY }).then(
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
