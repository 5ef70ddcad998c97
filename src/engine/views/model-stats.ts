/** Figures of one tier of a model. `hits` and `evictions` are counted by this process. */
export interface TierStats {
  /** Values read from this tier. Those of `getOrSet` and `getMany` count for the disk. */
  readonly hits: number
  /** Entries that were evicted. */
  readonly evictions: number
  /** Entries in this tier; on disk including expired ones that were not removed yet. */
  readonly items: number
  /** Bytes in this tier. */
  readonly bytes: number
}

/** Figures of the cache of a model. All but `items` and `bytes` are counted by this process. */
export interface ModelStats {
  /** Keys that were read, by `get`, `getMany` and `getOrSet`: all hits and misses. What rejected is not counted. */
  readonly gets: number
  /** Reads that found a value that fits. */
  readonly hits: number
  /** Reads that found none, also those of `getOrSet` that then computed the value. */
  readonly misses: number
  /** Values that were stored. */
  readonly puts: number
  /** Keys given to `delete` and `deleteMany`, whether they existed or not. */
  readonly deletes: number
  /** Misses because of an entry that did not fit. */
  readonly invalid: number
  /** Hits whose value was migrated from another version. */
  readonly migrated: number
  /** The entries on disk, and the hits that the memory tier did not answer. */
  readonly disk: TierStats
  /**
   * The memory tier, if there is one. A model without limits shares it, so that all but `hits` are those of the cache.
   */
  readonly memory?: TierStats
}

/** The counters of the cache of a model. */
export interface ModelCounters {
  gets: number
  hits: number
  memoryHits: number
  misses: number
  puts: number
  deletes: number
  invalid: number
  migrated: number
  evictions: number
}

export function newCounters(): ModelCounters {
  return {
    gets: 0,
    hits: 0,
    memoryHits: 0,
    misses: 0,
    puts: 0,
    deletes: 0,
    invalid: 0,
    migrated: 0,
    evictions: 0,
  }
}
