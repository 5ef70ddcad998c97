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
 * Functions of the engine for watching a cache from outside: figures that its processes have stored. Nothing is written
 * and no transaction stays open, so that nobody is held up.
 */

/** Figures of one shard as stored on disk. */
export interface ShardFigures {
  /** The directory of the shard, such as `003`; for a Cache its own directory. */
  readonly shard: string
  readonly count: number
  /** Bytes of used pages and value files. */
  readonly size: number
  readonly sizeLimit: number
  /** Bytes of the write-ahead log. */
  readonly wal: number
  /** Whether the three following figures are counted. */
  readonly statistics: boolean
  readonly hits: number
  readonly misses: number
  readonly evictions: number
  /** Entries stored since the last look that still exist. `undefined`: only a full scan could tell. */
  readonly stored: number | undefined
}

/** Reads the figures of a cache repeatedly. */
export class Watcher {
  readonly #shards: readonly Shard[]
  readonly #timeout: number
  readonly #lastStored = new Map<Shard, number>()

  /** @param cache an open cache */
  constructor(cache: CacheVerbs, timeout: number) {
    this.#shards = handleOf(cache).shards
    this.#timeout = timeout
  }

  /** @throws TimeoutError when a database is locked for reading, which writers do in some journal modes */
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

  /** Counts new store times, where they have an index. Each stored entry gets a later one than those before. */
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
