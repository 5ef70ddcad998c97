import type { RefusalReason } from '../errors.js'
import { oncePerProcess } from '../once-per-process.js'
import type { ComputeOutcome } from './channels.js'

/**
 * Counters of this process for one directory, since it first opened it. Neither `stats({ reset })` nor closing resets
 * them. Hits and misses are counted as in `stats`, whether statistics are switched on or not.
 */
export class Counters {
  /** The real path of the directory. */
  readonly directory: string
  hits = 0
  misses = 0
  /** Committed changes: entries stored, removed by verbs, and removed because they had expired. */
  sets = 0
  deletes = 0
  expirations = 0
  commits = 0
  /** Verbs that gave up waiting for a lock. */
  timeouts = 0
  quarantines = 0
  errors = 0
  /** Waits for a lock, by whether it was acquired in the end. */
  readonly lockWaits: Record<'acquired' | 'missed', number> = { acquired: 0, missed: 0 }
  readonly evictions: Record<'size' | 'items' | 'full', number> = { size: 0, items: 0, full: 0 }
  readonly refusals: Record<RefusalReason, number> = { timeout: 0, 'too-large': 0, full: 0, pending: 0 }
  readonly computations: Record<ComputeOutcome, number> = { stored: 0, unstored: 0, failed: 0 }
  /** Counts of memory tiers that were closed or reset. */
  readonly pastMemory: Record<'hits' | 'misses' | 'evictions', number> = { hits: 0, misses: 0, evictions: 0 }

  constructor(directory: string) {
    this.directory = directory
  }
}

interface Registry {
  readonly known: Map<string, WeakRef<Counters>>
  readonly gone: FinalizationRegistry<string>
}

function registry(): Registry {
  return oncePerProcess('counters', makeRegistry)
}

function makeRegistry(): Registry {
  const known = new Map<string, WeakRef<Counters>>()
  const gone = new FinalizationRegistry<string>(directory => {
    if (known.get(directory)?.deref() === undefined) known.delete(directory)
  })
  return { known, gone }
}

/** The counters of a directory. They live as long as any cache on it, or any collector of metrics that holds them. */
export function countersOf(directory: string): Counters {
  const { known, gone } = registry()
  const present = known.get(directory)?.deref()
  if (present) return present
  const counters = new Counters(directory)
  known.set(directory, new WeakRef(counters))
  gone.register(counters, directory)
  return counters
}
