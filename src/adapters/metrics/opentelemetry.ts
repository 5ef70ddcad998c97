import { type Attributes, type MeterProvider, metrics, type TracerProvider, trace } from '@opentelemetry/api'
import { countersIn, type InDirectory, kindOf } from '../../engine/for-metrics.js'
import { meterCache } from './meter.js'
import { checkOptions, checkProvider, nameOf } from './metrics-options.js'
import { startOnce, traitsOf } from './shared.js'
import { traceCache } from './spans.js'

const PLACE = 'instrument'
const KNOWN = new Set(['meterProvider', 'tracerProvider', 'name', 'attributes', 'spans', 'keys', 'durations'])

export type { InDirectory }

/** Options of `instrument`. */
export interface InstrumentOptions {
  /** The provider of meters. @default the global one, which must be set before */
  readonly meterProvider?: MeterProvider | undefined
  /** The provider of tracers. @default the global one */
  readonly tracerProvider?: TracerProvider | undefined
  /** The name of the cache in attributes. @default the last part of the directory */
  readonly name?: string | undefined
  /** Further attributes of all metrics and spans. @default none */
  readonly attributes?: Attributes | undefined
  /** Creates a span for each call of a verb that returns a promise, and for what waits. @default false */
  readonly spans?: boolean | undefined
  /** Adds the key to spans. Keys may name persons. @default false */
  readonly keys?: boolean | undefined
  /** Measures calls (`db.client.operation.duration`), which costs some microseconds each. @default false */
  readonly durations?: boolean | undefined
}

/** The instrumentation of one cache. */
export interface Instrumenting {
  /** Ends the instrumentation. May be called more than once. */
  stop(): void
}

/**
 * Reports the metrics of a cache to OpenTelemetry: what this process does with the cache, and its state. With `spans`
 * it also reports calls. A second call for the same cache and providers adds nothing.
 *
 * @param cache any cache, namespace, model or collection; its whole directory is reported
 * @throws TypeError when `cache` is no cache, and for unknown or wrong options; RangeError when the cache is already
 *   instrumented with other options
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
  const stops = [startOnce(meters, 'meter', about, () => meterCache(meters, watched, { durations }))]
  const stop = (): void => {
    for (const one of stops) one()
  }
  if (!spans) return { stop }
  try {
    const tracers = options.tracerProvider ?? trace.getTracerProvider()
    const traits = traitsOf(name, { ...attributes, keys })
    stops.push(startOnce(tracers, 'tracer', { directory, traits }, () => traceCache(tracers, watched, { keys })))
  } catch (error) {
    stop()
    throw error
  }
  return { stop }
}
