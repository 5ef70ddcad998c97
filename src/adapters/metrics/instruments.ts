import { type Counters, type Figures, figuresOf, type MemoryCounts, memoryCounts } from '../../engine/for-metrics.js'

/** The state of a cache at one moment. */
export interface Reading {
  readonly counts: Counters
  readonly memory: MemoryCounts
  /** Absent while the cache is closed. */
  readonly figures: Figures | undefined
}

export function readingOf(counts: Counters): Reading {
  return { counts, memory: memoryCounts(counts), figures: figuresOf(counts) }
}

/** A number that is read on request, independent of the collector. */
export interface Instrument {
  readonly kind: 'counter' | 'gauge'
  /** Its name in Prometheus, without the prefix. */
  readonly name: string
  /** Its name in OpenTelemetry, and its unit there (UCUM). */
  readonly path: string
  readonly unit: string
  readonly help: string
  /** The label that distinguishes the numbers of one record. */
  readonly label?: Label
  /**
   * How the numbers of several processes are combined. Absent: added. `'max'`: figures of the directory, equal in all.
   */
  readonly across?: 'max'
  /** Reads the number, or a record of numbers. `undefined`: there is none now. */
  readonly read: (reading: Reading) => number | Readonly<Record<string, number>> | undefined
}

export type Label = 'reason' | 'outcome'

export const INSTRUMENTS: readonly Instrument[] = [
  counter('gets', '{get}', 'Values asked for.', ({ counts }) => counts.hits + counts.misses),
  counter('hits', '{get}', 'Values asked for that were there.', ({ counts }) => counts.hits),
  counter('misses', '{get}', 'Values asked for that were not there.', ({ counts }) => counts.misses),
  counter('sets', '{entry}', 'Entries stored.', ({ counts }) => counts.sets),
  counter('deletes', '{entry}', 'Entries removed by a verb.', ({ counts }) => counts.deletes),
  counter('expirations', '{entry}', 'Entries removed because they had expired.', ({ counts }) => counts.expirations),
  {
    ...counter('evictions', '{entry}', 'Entries removed to stay under a limit.', ({ counts }) => counts.evictions),
    label: 'reason',
  },
  { ...counter('refusals', '{write}', 'Writes turned down.', ({ counts }) => counts.refusals), label: 'reason' },
  counter(
    'timeouts',
    '{call}',
    'Verbs that gave up waiting for the lock of a database.',
    ({ counts }) => counts.timeouts,
  ),
  {
    ...counter(
      'lock_waits',
      '{wait}',
      'Waits for the lock of a database that others had.',
      ({ counts }) => counts.lockWaits,
    ),
    label: 'outcome',
  },
  counter('commits', '{commit}', 'Transactions committed.', ({ counts }) => counts.commits),
  {
    ...counter('computations', '{call}', 'Runs of the functions of getOrSet and memoize.', r => r.counts.computations),
    label: 'outcome',
  },
  counter('quarantines', '{database}', 'Damaged databases moved aside.', ({ counts }) => counts.quarantines),
  counter('errors', '{error}', 'Errors beside any call: upkeep, repairs.', ({ counts }) => counts.errors),
  counter('memory.hits', '{get}', 'Values that memory answered.', ({ memory }) => memory.hits),
  counter('memory.misses', '{get}', 'Values that memory did not have.', ({ memory }) => memory.misses),
  counter('memory.evictions', '{entry}', 'Entries that memory gave up for others.', ({ memory }) => memory.evictions),
  {
    ...gauge('size', 'By', 'Bytes of used database pages and of value files.', f => f.bytes),
    name: 'size_bytes',
    across: 'max',
  },
  {
    ...gauge('size.limit', 'By', 'Bytes that the cache may take.', f => f.sizeLimit),
    name: 'size_limit_bytes',
    across: 'max',
  },
  { ...gauge('items', '{entry}', 'Entries, expired ones that are still there included.', f => f.items), across: 'max' },
  { ...gauge('items.limit', '{entry}', 'Entries that the cache may have.', f => f.maxItems), across: 'max' },
  { ...gauge('shards', '{database}', 'Databases of the cache.', f => f.shards), across: 'max' },
  { ...gauge('wal.size', 'By', 'Bytes of the write-ahead logs.', f => f.walBytes), name: 'wal_bytes', across: 'max' },
  gauge('queue.length', '{write}', 'Writes that wait for their commit.', f => f.queue.length),
  { ...gauge('queue.size', 'By', 'Bytes of the writes that wait.', f => f.queue.bytes), name: 'queue_bytes' },
  { ...gauge('memory.size', 'By', 'Bytes of the entries in memory.', f => f.memory?.bytes), name: 'memory_bytes' },
  {
    ...gauge('memory.limit', 'By', 'Bytes that memory may take.', f => f.memory?.limit),
    name: 'memory_limit_bytes',
  },
  gauge('memory.items', '{entry}', 'Entries in memory.', f => f.memory?.items),
]

function counter(path: string, unit: string, help: string, read: Instrument['read']): Instrument {
  return { kind: 'counter', name: `${path.replaceAll('.', '_')}_total`, path, unit, help, read }
}

function gauge(path: string, unit: string, help: string, read: (figures: Figures) => number | undefined): Instrument {
  const readFigures: Instrument['read'] = ({ figures }) => figures && read(figures)
  return { kind: 'gauge', name: path.replaceAll('.', '_'), path, unit, help, read: readFigures }
}
