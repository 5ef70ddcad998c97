import type { Session } from '../database/session.js'
import type { Codec, SqlValue } from '../disk/codec.js'
import type { Key } from '../options.js'
import { performance } from '../timers.js'
import { channels } from './channels.js'
import type { Counters } from './counters.js'

/** A key in the form of a row. */
interface RowKey {
  readonly data: SqlValue
  readonly raw: boolean | 0 | 1
}

/** Counts the activity of one database and publishes it on the diagnostics channels. */
export class ShardWatch {
  readonly counters: Counters
  readonly #shard: number
  readonly #codec: Codec

  constructor(counters: Counters, shard: number, codec: Codec) {
    this.counters = counters
    this.#shard = shard
    this.#codec = codec
  }

  /** Records a read that found a value. */
  hit(key: RowKey, source: 'memory' | 'database'): void {
    this.counters.hits++
    if (channels.get.hasSubscribers) this.#tellGet(key, true, source)
  }

  /** Records a read that found no value. */
  miss(key: RowKey, source: 'memory' | 'database'): void {
    this.counters.misses++
    if (channels.get.hasSubscribers) this.#tellGet(key, false, source)
  }

  /** Records that a transaction begins and holds the lock. */
  begun(session: Session): void {
    session.begunAt = channels.commit.hasSubscribers ? performance.now() : Number.NaN
  }

  /**
   * Records a commit. Returns a function that publishes it, to be called when the session is ready for the next one.
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

  /** Records a wait for the lock, which was acquired in the end or missed. */
  lockWaited(milliseconds: number, outcome: 'acquired' | 'missed'): void {
    const { directory, lockWaits } = this.counters
    lockWaits[outcome]++
    const channel = channels['lock-wait']
    if (!channel.hasSubscribers) return
    channel.publish({ directory, shard: this.#shard, milliseconds, acquired: outcome === 'acquired' })
  }

  /** Records the end of a computation. */
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

  /** Decodes a key for a message. A key that cannot be decoded is reported in its stored form. */
  #decode({ data, raw }: RowKey): Key {
    try {
      return this.#codec.decodeKey(data, raw === true || raw === 1)
    } catch {
      return data
    }
  }
}
