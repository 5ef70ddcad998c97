import { register as defaultRegister } from 'prom-client'
import { countersIn, type InDirectory, kindOf } from '../../engine/for-metrics.js'
import { metricSetOf, type Register, type Source } from './metric-set.js'
import { checkOptions, checkProvider, nameOf } from './metrics-options.js'
import { startOnce, traitsOf } from './shared.js'

const PLACE = 'collectMetrics'
const KNOWN = new Set(['register', 'prefix', 'name', 'labels', 'durations'])
const PREFIX = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
/** https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels */
const LABEL = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/
const OWN_LABELS = new Set(['cache', 'reason', 'outcome', 'verb', 'le'])

export type { InDirectory, Register }

/** Options of `collectMetrics`. */
export interface CollectOptions {
  /** The register that collects the metrics. @default the global register of prom-client */
  readonly register?: Register | undefined
  /** The prefix of the names of all metrics. @default 'fanout_cache_' */
  readonly prefix?: string | undefined
  /**
   * The value of the label `cache`, which distinguishes the caches of a register.
   *
   * @default last part of the directory
   */
  readonly name?: string | undefined
  /** Further labels. All caches of one register and prefix must have the same ones. @default none */
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** Measures the duration of calls by verb (`verb_seconds`), which costs about a microsecond each. @default false */
  readonly durations?: boolean | undefined
}

/** The collection of the metrics of one cache. */
export interface Collecting {
  /** Ends the collection and removes its series from the register. May be called more than once. */
  stop(): void
}

/**
 * Adds the metrics of a cache to a register of prom-client: what this process does with the cache, and its state. The
 * numbers are read at each scrape, without opening or waiting. A second call for the same cache adds nothing.
 *
 * @param cache any cache, namespace, model or collection; its whole directory is counted
 * @throws TypeError when `cache` is no cache, and for unknown or wrong options; RangeError for names that Prometheus
 *   does not permit, for a name of another cache in the register, for labels that differ from those of other caches,
 *   and for foreign metrics with the same names
 *
 * @example
 * collectMetrics(cache, { name: 'pages' })
 * app.get('/metrics', async (_req, res) => res.type(register.contentType).send(await register.metrics()))
 */
export function collectMetrics(cache: InDirectory, options: CollectOptions = {}): Collecting {
  const counters = countersIn(cache, PLACE)
  checkOptions(PLACE, options, KNOWN, ['durations'])
  const { register = defaultRegister, prefix = 'fanout_cache_', durations = false } = options
  checkProvider(PLACE, 'register', register, 'registerMetric')
  if (typeof prefix !== 'string') throw new TypeError(`${PLACE}: prefix must be a string, got ${kindOf(prefix)}`)
  if (!PREFIX.test(prefix))
    throw new RangeError(`${PLACE}: prefix must be what names of metrics may begin with, got '${prefix}'`)
  const name = nameOf(PLACE, options.name, counters.directory)
  const labels = { cache: name, ...checkLabels(options.labels) }
  const source: Source = { counters, labels, durations }
  const traits = traitsOf(name, { ...options.labels, durations })
  const about = { directory: counters.directory, traits }
  const set = metricSetOf(register, prefix)
  const stop = startOnce(register, prefix, about, () => set.add(source))
  set.restore()
  return { stop }
}

function checkLabels(labels: unknown = {}): Record<string, string> {
  if (typeof labels !== 'object' || labels === null) {
    throw new TypeError(`${PLACE}: labels must be an object of strings, got ${kindOf(labels)}`)
  }
  for (const [label, value] of Object.entries(labels)) {
    if (!LABEL.test(label) || OWN_LABELS.has(label)) {
      throw new RangeError(`${PLACE}: '${label}' cannot be a label: it is no name, or has a meaning of its own`)
    }
    if (typeof value !== 'string')
      throw new TypeError(`${PLACE}: the label ${label} must be a string, got ${kindOf(value)}`)
  }
  return labels as Record<string, string>
}
