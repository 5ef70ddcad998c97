/** Figures of one tier of a model. `hits` and `evictions` are those of this process. */
export interface TierStats {
  /** Values that it answered. Those of `getOrSet` and `getMany` count as the disk's. */
  readonly hits: number
  /** Entries that made room for others. */
  readonly evictions: number
  /** Entries that it holds now; on disk also those which have expired and were not yet removed. */
  readonly items: number
  /** Bytes that it holds now. */
  readonly bytes: number
}

/** Figures of the cache of a model. All but `items` and `bytes` count what this process did through it. */
export interface ModelStats {
  /** Keys that were asked for, by `get`, `getMany` and `getOrSet`. */
  readonly gets: number
  readonly hits: number
  readonly misses: number
  /** Values that were stored. */
  readonly puts: number
  /** Keys that were to be deleted, whether they were there or not. */
  readonly deletes: number
  /** Misses where there was an entry that did not fit. */
  readonly invalid: number
  /** Hits whose value another version had stored. */
  readonly migrated: number
  readonly disk: TierStats
  /** Where values are kept in memory. Without limits of its own a model shares it: then all but `hits` are those of the cache. */
  readonly memory?: TierStats
}

/** What a cache of a model counts. */
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
