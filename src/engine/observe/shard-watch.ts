import type { Session } from '../database/session.js'
import type { Codec, SqlValue } from '../disk/codec.js'
import type { Key } from '../options.js'
import { channels } from './channels.js'
import type { Counters } from './counters.js'

/** A key as a row has it. */
interface RowKey {
  readonly data: SqlValue
  readonly raw: boolean | 0 | 1
}

/** Counts what one database does, and tells it where somebody listens. */
export class ShardWatch {
  readonly counters: Counters
  readonly #shard: number
  readonly #codec: Codec

  constructor(counters: Counters, shard: number, codec: Codec) {
    this.counters = counters
    this.#shard = shard
    this.#codec = codec
  }

  /** A value was asked for, and is there. */
  hit(key: RowKey, source: 'memory' | 'database'): void {
    this.counters.hits++
    if (channels.get.hasSubscribers) this.#tellGet(key, true, source)
  }

  /** A value was asked for, and is not there. */
  miss(key: RowKey, source: 'memory' | 'database'): void {
    this.counters.misses++
    if (channels.get.hasSubscribers) this.#tellGet(key, false, source)
  }

  /** A transaction begins: it has the lock. */
  begun(session: Session): void {
    session.begunAt = channels.commit.hasSubscribers ? performance.now() : Number.NaN
  }

  /**
   * A transaction is committed. What it did is counted; answers what is to be told of it when the session is ready for the next one.
   */
  committed(session: Session, writes: number): (() => void) | undefined {
    const { counters } = this
    const { stored, removed, expired, evicted, begunAt } = session
    counters.commits++
    counters.sets += stored.length
    counters.expirations += expired
    counters.deletes += removed - expired - evicted
    if (!channels.commit.hasSubscribers && !channels.set.hasSubscribers) return undefined
    const keys = channels.set.hasSubscribers ? [...stored] : []
    const milliseconds = performance.now() - begunAt
    return () => {
      const about = { directory: counters.directory, shard: this.#shard }
      for (const key of keys) channels.set.publish({ ...about, key: this.#decode(key) })
      if (!Number.isNaN(milliseconds)) channels.commit.publish({ ...about, writes, milliseconds })
    }
  }

  /** The lock was held by others for some time, and is free now, or nobody waits for it any more. */
  lockWaited(milliseconds: number, acquired: boolean): void {
    const { directory, lockWaits } = this.counters
    lockWaits[acquired ? 'acquired' : 'missed']++
    const channel = channels['lock-wait']
    if (channel.hasSubscribers) channel.publish({ directory, shard: this.#shard, milliseconds, acquired })
  }

  /** A computation has ended. */
  computed(key: RowKey, milliseconds: number, outcome: 'stored' | 'unstored' | { readonly error: unknown }): void {
    const { directory, computations } = this.counters
    const name = typeof outcome === 'string' ? outcome : 'failed'
    computations[name]++
    if (!channels.compute.hasSubscribers) return
    const error = typeof outcome === 'string' ? undefined : outcome
    const about = { directory, shard: this.#shard, key: this.#decode(key) }
    channels.compute.publish({ ...about, milliseconds, outcome: name, ...error })
  }

  #tellGet(key: RowKey, hit: boolean, source: 'memory' | 'database'): void {
    const about = { directory: this.counters.directory, shard: this.#shard }
    channels.get.publish({ ...about, key: this.#decode(key), hit, source })
  }

  /** What is told is never a reason to fail: a key that cannot be read is told as it is stored. */
  #decode({ data, raw }: RowKey): Key {
    try {
      return this.#codec.decodeKey(data, raw === true || raw === 1)
    } catch {
      return data
    }
  }
}
