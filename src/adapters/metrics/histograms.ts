import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type CacheDiagnostics, type Counters, surroundVerbs } from '../../engine/for-metrics.js'
import { performance } from '../../engine/timers.js'

/** A histogram of events. */
export interface Histogram {
  readonly name: string
  readonly path: string
  readonly unit: string
  readonly help: string
  readonly label?: 'outcome' | 'verb'
  /** The values of the label. Absent when they are not known in advance. */
  readonly values?: readonly string[]
  readonly buckets: readonly number[]
}

const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** Bounds for computations, which may take a minute, and for calls, which may take microseconds. */
const LONG_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const SHORT_SECONDS = [0.000005, 0.00001, 0.000025, 0.00005, ...SECONDS]

export const HISTOGRAMS: Readonly<Record<HistogramName, Histogram>> = {
  lockWait: {
    name: 'lock_wait_seconds',
    path: 'lock_wait.duration',
    unit: 's',
    help: 'How long the lock of a database was waited for, where others had it.',
    label: 'outcome',
    values: ['acquired', 'missed'],
    buckets: SECONDS,
  },
  commit: {
    name: 'commit_seconds',
    path: 'commit.duration',
    unit: 's',
    help: 'How long transactions had the lock.',
    buckets: SECONDS,
  },
  writes: {
    name: 'commit_writes',
    path: 'commit.writes',
    unit: '{write}',
    help: 'How many writes shared a commit.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000],
  },
  compute: {
    name: 'compute_seconds',
    path: 'compute.duration',
    unit: 's',
    help: 'How long the functions of getOrSet and memoize took.',
    label: 'outcome',
    values: ['stored', 'unstored', 'failed'],
    buckets: LONG_SECONDS,
  },
  verb: {
    name: 'verb_seconds',
    path: 'db.client.operation.duration',
    unit: 's',
    help: 'How long calls took until they were answered, where durations are asked for.',
    label: 'verb',
    buckets: SHORT_SECONDS,
  },
}

export type HistogramName = 'lockWait' | 'commit' | 'writes' | 'compute' | 'verb'

/** Records one value. */
export type Observe = (name: HistogramName, value: number, label?: string) => void

/** Observes the events of one cache. Returns a function that ends that. */
export function watchHistograms({ directory }: Counters, observe: Observe): () => void {
  const stops = [
    listen('fanout-cache:commit', directory, ({ milliseconds, writes }) => {
      observe('commit', milliseconds / 1000)
      observe('writes', writes)
    }),
    listen('fanout-cache:lock-wait', directory, ({ milliseconds, acquired }) => {
      observe('lockWait', milliseconds / 1000, acquired ? 'acquired' : 'missed')
    }),
    listen('fanout-cache:compute', directory, ({ milliseconds, outcome }) => {
      observe('compute', milliseconds / 1000, outcome)
    }),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}

function listen<N extends keyof CacheDiagnostics>(
  name: N,
  directory: string,
  hear: (message: CacheDiagnostics[N]) => void,
): () => void {
  const listener = (message: unknown): void => {
    const known = message as CacheDiagnostics[N]
    if (known.directory === directory) hear(known)
  }
  subscribe(name, listener)
  return () => {
    unsubscribe(name, listener)
  }
}

/** Measures the verbs of one cache. Returns a function that ends that. */
export function watchDurations(
  { directory }: Counters,
  ended: (verb: string, seconds: number, error?: unknown) => void,
): () => void {
  return surroundVerbs(async (call, run) => {
    if (call.directory !== directory) return run()
    const begun = performance.now()
    try {
      const answer = await run()
      ended(call.verb, (performance.now() - begun) / 1000)
      return answer
    } catch (error) {
      ended(call.verb, (performance.now() - begun) / 1000, error)
      throw error
    }
  })
}
