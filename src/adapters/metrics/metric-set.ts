import { Counter, Gauge, Histogram, type OpenMetricsContentType, type Registry } from 'prom-client'
import type { Counters } from '../../engine/for-metrics.js'
import { HISTOGRAMS, type HistogramName, watchDurations, watchHistograms } from './histograms.js'
import { INSTRUMENTS, type Instrument, type Reading, readingOf } from './instruments.js'
import { sharedAt } from './shared.js'

/** One collected cache. */
export interface Source {
  readonly counters: Counters
  /** Its labels, including its name in `cache`. */
  readonly labels: Readonly<Record<string, string>>
  readonly durations: boolean
}

/** The series of a source in one histogram, by the value of its label. */
type Series = Map<string, Histogram.Internal<string>>

type Metric = Counter<string> | Gauge<string> | Histogram<string>

/** A register of prom-client, of either format. */
export type Register = Registry | Registry<OpenMetricsContentType>

/** The metrics of one prefix in one register, for all caches collected there. */
export class MetricSet {
  readonly #register: Register
  readonly #prefix: string
  readonly #sources = new Map<Source, ReadonlyMap<HistogramName, Series>>()
  readonly #histograms = new Map<HistogramName, Histogram<string>>()
  /** The metrics by registered name. An OpenMetrics register shortens the names of counters. */
  readonly #metrics = new Map<string, Metric>()
  #labelNames: readonly string[] = []
  /** The readings of the present scrape, which asks all metrics in one synchronous step. */
  readonly #readings = new Map<Source, Reading>()

  constructor(register: Register, prefix: string) {
    this.#register = register
    this.#prefix = prefix
  }

  /** Registers the metrics again after the register was cleared. */
  restore(): void {
    for (const [name, metric] of this.#metrics) {
      if (this.#register.getSingleMetric(name) === undefined) this.#register.registerMetric(metric)
    }
  }

  /**
   * Adds a cache. Returns a function that removes it.
   *
   * @throws RangeError for a name or labels that conflict with others
   */
  add(source: Source): () => void {
    this.#check(source)
    if (this.#metrics.size === 0) this.#make(Object.keys(source.labels))
    this.#sources.set(source, this.#zero(source))
    const stops = [watchHistograms(source.counters, (name, value, label) => this.#observe(source, name, value, label))]
    if (source.durations) {
      stops.push(watchDurations(source.counters, (verb, seconds) => this.#observe(source, 'verb', seconds, verb)))
    }
    return () => {
      for (const stop of stops) stop()
      this.#forget(source)
      if (this.#sources.size === 0) this.#remove()
    }
  }

  #check({ labels }: Source): void {
    const names = Object.keys(labels)
    for (const other of this.#sources.keys()) {
      if (other.labels.cache === labels.cache) {
        throw new RangeError(`another cache is collected as '${labels.cache}': give this one another name`)
      }
    }
    if (this.#sources.size > 0 && [...names].sort().join() !== [...this.#labelNames].sort().join()) {
      const wanted = this.#labelNames.filter(name => name !== 'cache').join(', ') || 'none'
      throw new RangeError(`all caches of one register have the same labels: expected ${wanted}`)
    }
  }

  #make(labelNames: readonly string[]): void {
    for (const { name } of [...INSTRUMENTS, ...Object.values(HISTOGRAMS)]) {
      if (!this.#register.getSingleMetric(this.#prefix + name)) continue
      throw new RangeError(`the register has a metric ${this.#prefix + name} of somebody else: give another prefix`)
    }
    this.#labelNames = labelNames
    for (const instrument of INSTRUMENTS) this.#makeNumber(instrument)
    for (const name of Object.keys(HISTOGRAMS) as HistogramName[]) this.#makeHistogram(name)
  }

  #makeNumber(instrument: Instrument): void {
    const { kind, name, help, label, across } = instrument
    const collect = (): void => this.#collect(metric, instrument)
    const config = {
      name: this.#prefix + name,
      help,
      labelNames: [...this.#labelNames, ...(label ? [label] : [])],
      registers: [this.#register],
      aggregator: across ?? ('sum' as const),
      collect,
    }
    const metric: Counter<string> | Gauge<string> = kind === 'counter' ? new Counter(config) : new Gauge(config)
    this.#metrics.set(config.name, metric)
  }

  #makeHistogram(name: HistogramName): void {
    const { label, help, buckets, name: suffix } = HISTOGRAMS[name]
    const histogram = new Histogram<string>({
      name: this.#prefix + suffix,
      help,
      labelNames: [...this.#labelNames, ...(label ? [label] : [])],
      registers: [this.#register],
      buckets: [...buckets],
    })
    this.#histograms.set(name, histogram)
    this.#metrics.set(this.#prefix + suffix, histogram)
  }

  #collect(metric: Counter<string> | Gauge<string>, { label, read }: Instrument): void {
    metric.reset()
    for (const source of this.#sources.keys()) {
      const value = read(this.#readingOf(source))
      if (value === undefined) continue
      const values = typeof value === 'number' ? { '': value } : value
      for (const [name, one] of Object.entries(values)) {
        const labels = label === undefined ? source.labels : { ...source.labels, [label]: name }
        if (metric instanceof Counter) metric.inc(labels, one)
        else metric.set(labels, one)
      }
    }
  }

  #readingOf(source: Source): Reading {
    const known = this.#readings.get(source)
    if (known) return known
    if (this.#readings.size === 0) queueMicrotask(() => this.#readings.clear())
    const reading = readingOf(source.counters)
    this.#readings.set(source, reading)
    return reading
  }

  #observe(source: Source, name: HistogramName, value: number, of = ''): void {
    const series = this.#sources.get(source)?.get(name)
    if (!series) return
    const known = series.get(of) ?? this.#histograms.get(name)?.labels(labelsOf(source, name, of))
    if (!known) return
    series.set(of, known)
    known.observe(value)
  }

  /** Creates series with the value 0, since rates cannot be computed from the first value of a series. */
  #zero(source: Source): ReadonlyMap<HistogramName, Series> {
    const all = new Map<HistogramName, Series>()
    for (const [name, histogram] of this.#histograms) {
      const { label, values = label === undefined ? [''] : [] } = HISTOGRAMS[name]
      for (const value of values) histogram.zero(labelsOf(source, name, value))
      all.set(name, new Map(values.map(value => [value, histogram.labels(labelsOf(source, name, value))])))
    }
    return all
  }

  #forget(source: Source): void {
    for (const [name, series] of this.#sources.get(source) ?? []) {
      for (const value of series.keys()) this.#histograms.get(name)?.remove(labelsOf(source, name, value))
    }
    this.#sources.delete(source)
  }

  #remove(): void {
    for (const [name, metric] of this.#metrics) {
      if (this.#register.getSingleMetric(name) === metric) this.#register.removeSingleMetric(name)
    }
    this.#metrics.clear()
    this.#histograms.clear()
  }
}

function labelsOf({ labels }: Source, name: HistogramName, value: string): Record<string, string> {
  const { label } = HISTOGRAMS[name]
  return label === undefined ? { ...labels } : { ...labels, [label]: value }
}

/** The metrics of a prefix in a register, created on first use. */
export function metricSetOf(register: Register, prefix: string): MetricSet {
  return sharedAt(register, `metrics ${prefix}`, () => new MetricSet(register, prefix))
}
