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

/** How a cache is collected for Prometheus. */
export interface CollectOptions {
  /** @default the global register of prom-client */
  readonly register?: Register
  /** What the names of all metrics begin with. @default 'fanout_cache_' */
  readonly prefix?: string
  /** The value of the label `cache`, by which several caches of one register are told apart. @default the last part of the directory */
  readonly name?: string
  /** Further labels, which all caches of one register and prefix must have. */
  readonly labels?: Readonly<Record<string, string>>
  /** Whether calls are measured by verb (`verb_seconds`), which costs about a microsecond each. @default false */
  readonly durations?: boolean
}

/** What is collected of one cache. */
export interface Collecting {
  /** Ends it, and takes its series out of the register. May be called more than once. */
  stop(): void
}

/**
 * Adds what this process does with a cache, and the state of the cache, to a register of prom-client. The numbers are read when the
 * register is asked; nothing is opened for it, and nothing waited for. A second call for the same cache adds nothing.
 *
 * @param cache any cache, namespace, model or collection: what is counted is its whole directory
 * @throws TypeError for what is no cache, and for unknown or wrong options; RangeError for names that are no names to Prometheus, for
 *   a name that another cache has in the register, labels that differ from those of the others, and metrics of others with these names
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
  if (typeof prefix !== 'string') throw new TypeError(`${PLACE}: prefix must be a text, got ${kindOf(prefix)}`)
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
    throw new TypeError(`${PLACE}: labels must be an object of texts, got ${kindOf(labels)}`)
  }
  for (const [label, value] of Object.entries(labels)) {
    if (!LABEL.test(label) || OWN_LABELS.has(label)) {
      throw new RangeError(`${PLACE}: '${label}' cannot be a label: it is no name, or has a meaning of its own`)
    }
    if (typeof value !== 'string')
      throw new TypeError(`${PLACE}: the label ${label} must be a text, got ${kindOf(value)}`)
  }
  return labels as Record<string, string>
}
