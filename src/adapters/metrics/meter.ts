import type {
  Attributes,
  BatchObservableResult,
  Meter,
  MeterProvider,
  Observable,
  Histogram as OtelHistogram,
} from '@opentelemetry/api'
import type { Counters } from '../../engine/for-metrics.js'
import { HISTOGRAMS, type HistogramName, watchDurations, watchHistograms } from './histograms.js'
import { INSTRUMENTS, type Instrument, readingOf } from './instruments.js'

/** One instrumented cache. */
export interface Watched {
  readonly counters: Counters
  readonly name: string
  readonly attributes: Attributes
}

/** The instrumentation scope of the metrics and spans. */
export const SCOPE = 'fanout-cache'
/** https://opentelemetry.io/docs/specs/semconv/database/ */
export const SYSTEM = 'fanout-cache'

/** Reports the metrics of one cache. Returns a function that ends that. */
export function meterCache(
  provider: MeterProvider,
  watched: Watched,
  { durations }: { readonly durations: boolean },
): () => void {
  const meter = provider.getMeter(SCOPE)
  const stops = [observeNumbers(meter, watched), recordHistograms(meter, watched)]
  if (durations) stops.push(recordDurations(meter, watched))
  return () => {
    for (const stop of stops) stop()
  }
}

function observeNumbers(meter: Meter, { counters, name, attributes }: Watched): () => void {
  const own = { ...attributes, 'fanout_cache.name': name }
  const observables = INSTRUMENTS.map(instrument => [instrument, makeObservable(meter, instrument)] as const)
  const all = observables.map(([, observable]) => observable)
  const observe = (result: BatchObservableResult): void => {
    const reading = readingOf(counters)
    for (const [{ read, label }, observable] of observables) {
      const value = read(reading)
      if (typeof value === 'number') result.observe(observable, value, own)
      else if (value !== undefined) {
        for (const [of, one] of Object.entries(value)) {
          result.observe(observable, one, { ...own, [`fanout_cache.${label}`]: of })
        }
      }
    }
  }
  meter.addBatchObservableCallback(observe, all)
  return () => meter.removeBatchObservableCallback(observe, all)
}

function makeObservable(meter: Meter, { kind, path, unit, help, across }: Instrument): Observable {
  const name = `fanout_cache.${path}`
  const about = { unit, description: help }
  if (kind === 'counter') return meter.createObservableCounter(name, about)
  // Figures that are equal in all processes must not be added up.
  return across === 'max' ? meter.createObservableGauge(name, about) : meter.createObservableUpDownCounter(name, about)
}

function recordHistograms(meter: Meter, { counters, name, attributes }: Watched): () => void {
  const own = { ...attributes, 'fanout_cache.name': name }
  const names = (Object.keys(HISTOGRAMS) as HistogramName[]).filter(one => one !== 'verb')
  const histograms = new Map<HistogramName, OtelHistogram>(names.map(one => [one, makeHistogram(meter, one)]))
  return watchHistograms(counters, (one, value, label) => {
    const of = label === undefined ? own : { ...own, [`fanout_cache.${HISTOGRAMS[one].label}`]: label }
    histograms.get(one)?.record(value, of)
  })
}

function recordDurations(meter: Meter, { counters, name, attributes }: Watched): () => void {
  const own = { ...attributes, 'db.system.name': SYSTEM, 'db.namespace': name }
  const histogram = makeHistogram(meter, 'verb')
  return watchDurations(counters, (verb, seconds, error) => {
    const failed = error === undefined ? undefined : { 'error.type': errorType(error) }
    histogram.record(seconds, { ...own, 'db.operation.name': verb, ...failed })
  })
}

function makeHistogram(meter: Meter, name: HistogramName): OtelHistogram {
  const { path, unit, help, buckets } = HISTOGRAMS[name]
  const full = name === 'verb' ? path : `fanout_cache.${path}`
  return meter.createHistogram(full, { unit, description: help, advice: { explicitBucketBoundaries: [...buckets] } })
}

/** The kind of an error, which has few values, unlike its message. */
export function errorType(error: unknown): string {
  if (!(error instanceof Error)) return '_OTHER'
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name
}
