import { type Attributes, type MeterProvider, metrics, type TracerProvider, trace } from '@opentelemetry/api'
import { countersIn, type InDirectory, kindOf } from '../../engine/for-metrics.js'
import { meterCache } from './meter.js'
import { checkOptions, checkProvider, nameOf } from './metrics-options.js'
import { startOnce, traitsOf } from './shared.js'
import { traceCache } from './spans.js'

const PLACE = 'instrument'
const KNOWN = new Set(['meterProvider', 'tracerProvider', 'name', 'attributes', 'spans', 'keys', 'durations'])

/** How a cache is watched by OpenTelemetry. */
export interface InstrumentOptions {
  /** @default the global one, which must be set before */
  readonly meterProvider?: MeterProvider
  /** @default the global one */
  readonly tracerProvider?: TracerProvider
  /** What the cache is called in attributes. @default the last part of the directory */
  readonly name?: string
  /** Further attributes of all metrics and spans. */
  readonly attributes?: Attributes
  /** Whether each call of a verb that answers a promise has a span. @default false */
  readonly spans?: boolean
  /** Whether spans say the keys, which may name persons. @default false */
  readonly keys?: boolean
  /** Whether calls are measured (`db.client.operation.duration`), which costs some microseconds each. @default false */
  readonly durations?: boolean
}

/** What watches one cache. */
export interface Instrumenting {
  /** Ends it. May be called more than once. */
  stop(): void
}

/**
 * Reports what this process does with a cache, and the state of the cache, as metrics of OpenTelemetry, and its calls as spans where
 * these are asked for. A second call for the same cache and providers adds nothing.
 *
 * @param cache any cache, namespace, model or collection: what is reported is its whole directory
 * @throws TypeError for what is no cache, and for unknown or wrong options; RangeError when the cache is watched already with other options
 *
 * @example
 * const watched = instrument(cache, { name: 'pages', spans: true })
 */
export function instrument(cache: InDirectory, options: InstrumentOptions = {}): Instrumenting {
  const counters = countersIn(cache, PLACE)
  checkOptions(PLACE, options, KNOWN, ['spans', 'keys', 'durations'])
  const { attributes = {}, spans = false, keys = false, durations = false } = options
  checkProvider(PLACE, 'meterProvider', options.meterProvider, 'getMeter')
  checkProvider(PLACE, 'tracerProvider', options.tracerProvider, 'getTracer')
  if (typeof attributes !== 'object' || attributes === null) {
    throw new TypeError(`${PLACE}: attributes must be an object, got ${kindOf(attributes)}`)
  }
  const name = nameOf(PLACE, options.name, counters.directory)
  const watched = { counters, name, attributes: { ...attributes } }
  const meters = options.meterProvider ?? metrics.getMeterProvider()
  const { directory } = counters
  const about = { directory, traits: traitsOf(name, { ...attributes, durations }) }
  const stops = [startOnce(meters, 'meter', about, () => meterCache(meters, watched, durations))]
  const stop = (): void => {
    for (const one of stops) one()
  }
  if (!spans) return { stop }
  try {
    const tracers = options.tracerProvider ?? trace.getTracerProvider()
    const traits = traitsOf(name, { ...attributes, keys })
    stops.push(startOnce(tracers, 'tracer', { directory, traits }, () => traceCache(tracers, watched, keys)))
  } catch (error) {
    stop()
    throw error
  }
  return { stop }
}
