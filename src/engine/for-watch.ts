import { basename } from 'node:path'
import type { CacheVerbs } from './cache-verbs.js'
import { EVICTION_POLICIES } from './database/eviction-policies.js'
import { logBytes } from './database/opening.js'
import type { Session } from './database/session.js'
import { handleOf } from './handle-of.js'
import { volume } from './operations/culling.js'
import type { Shard } from './shards/shard.js'
import { readPatiently, sessionOf } from './verbs/reading.js'

/*
 * What watching a cache from outside needs: figures that its processes have stored. Nothing is written, and no
 * transaction stays open, so that nobody is held up.
 */

/** Figures of one shard, as they are on disk. */
export interface ShardFigures {
  /** The directory of the shard, such as `003`; of a Cache its own. */
  readonly shard: string
  readonly count: number
  /** Bytes of used pages and value files. */
  readonly size: number
  readonly sizeLimit: number
  /** Bytes of the write-ahead log. */
  readonly wal: number
  /** Whether the following three are counted. */
  readonly statistics: boolean
  readonly hits: number
  readonly misses: number
  readonly evictions: number
  /** Entries that were stored since the last look, and are there still; `undefined`: only a scan of all could tell. */
  readonly stored: number | undefined
}

/** Looks at a cache again and again. */
export class Watcher {
  readonly #shards: readonly Shard[]
  readonly #timeout: number
  readonly #lastStored = new Map<Shard, number>()

  /** @param cache an open one */
  constructor(cache: CacheVerbs, timeout: number) {
    this.#shards = handleOf(cache).shards
    this.#timeout = timeout
  }

  /** @throws TimeoutError when a database is locked for reading, in journal modes where writers do that */
  async look(): Promise<ShardFigures[]> {
    const figures: ShardFigures[] = []
    for (const shard of this.#shards) {
      figures.push(await readPatiently(shard, this.#timeout, () => this.#lookAt(shard)))
    }
    return figures
  }

  #lookAt(shard: Shard): ShardFigures {
    shard.refreshSettings()
    const session = sessionOf(shard)
    const { statistics, sizeLimit } = shard.settings
    const setting = (name: string): number => Number(session.statements.get('setting', name) ?? 0)
    return {
      shard: basename(shard.directory),
      count: setting('count'),
      size: volume(session),
      sizeLimit,
      wal: logBytes(shard.directory),
      statistics,
      hits: setting('hits'),
      misses: setting('misses'),
      evictions: setting('evictions'),
      stored: this.#storedOf(shard, session),
    }
  }

  /** New store times, where they have an index. They never go back: each entry that is stored has a later one. */
  #storedOf(shard: Shard, session: Session): number | undefined {
    const { name } = EVICTION_POLICIES['least-recently-stored'].index ?? {}
    session.refreshSchema()
    if (name === undefined || !session.indexes.has(name)) return undefined
    const now = session.disk.now()
    const since = this.#lastStored.get(shard)
    this.#lastStored.set(shard, now)
    return since === undefined ? 0 : Number(session.statements.get('storedSince', since))
  }
}
