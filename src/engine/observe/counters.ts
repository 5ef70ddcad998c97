import type { RefusalReason } from '../errors.js'
import type { ComputeOutcome } from './channels.js'

/**
 * What this process has done with one directory, since it first opened it. Nothing takes it back: neither `stats({ reset })` nor
 * closing. Hits and misses are those of `stats`, whether statistics are switched on or not.
 */
export class Counters {
  /** The real path of the directory. */
  readonly directory: string
  hits = 0
  misses = 0
  /** Entries stored and removed by verbs; removed because they had expired. All of them committed. */
  sets = 0
  deletes = 0
  expirations = 0
  commits = 0
  /** Verbs that gave up waiting for a lock. */
  timeouts = 0
  quarantines = 0
  errors = 0
  /** Waits for a lock, by whether it was had in the end. */
  readonly lockWaits: Record<'acquired' | 'missed', number> = { acquired: 0, missed: 0 }
  readonly evictions: Record<'size' | 'items' | 'full', number> = { size: 0, items: 0, full: 0 }
  readonly refusals: Record<RefusalReason, number> = { timeout: 0, 'too-large': 0, full: 0, pending: 0 }
  readonly computations: Record<ComputeOutcome, number> = { stored: 0, unstored: 0, failed: 0 }
  /** What a memory has counted that is no more, or was set back. */
  readonly pastMemory: Record<'hits' | 'misses' | 'evictions', number> = { hits: 0, misses: 0, evictions: 0 }

  constructor(directory: string) {
    this.directory = directory
  }
}

/** Both builds of the package, ESM and CommonJS, count in one place. */
const REGISTRY = Symbol.for('fanout-cache.counters.0')

interface Registry {
  readonly known: Map<string, WeakRef<Counters>>
  readonly gone: FinalizationRegistry<string>
}

function registry(): Registry {
  const place = globalThis as { [REGISTRY]?: Registry }
  place[REGISTRY] ??= makeRegistry()
  return place[REGISTRY]
}

function makeRegistry(): Registry {
  const known = new Map<string, WeakRef<Counters>>()
  const gone = new FinalizationRegistry<string>(directory => {
    if (known.get(directory)?.deref() === undefined) known.delete(directory)
  })
  return { known, gone }
}

/** The counters of a directory, which live as long as any cache on it, or whoever collects them. */
export function countersOf(directory: string): Counters {
  const { known, gone } = registry()
  const present = known.get(directory)?.deref()
  if (present) return present
  const counters = new Counters(directory)
  known.set(directory, new WeakRef(counters))
  gone.register(counters, directory)
  return counters
}
