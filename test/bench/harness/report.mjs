import { median, spread } from './statistics.mjs'

/** What a measurement answers, as text. A `table` has been put into the notes. */
export function reportLines({ title, series = [], verdicts = [], notes = [] }) {
  const width = Math.max(0, ...series.map(({ name }) => name.length))
  const lines = ['', title]
  if (series.length > 0) {
    lines.push(
      `  ${''.padEnd(width)}  ${'median'.padStart(10)} ${'p99'.padStart(10)} ${'per second'.padStart(11)} ${'cpu'.padStart(10)}   ±`,
    )
  }
  for (const one of series) lines.push(`  ${one.name.padEnd(width)}  ${seriesLine(one)}`)
  for (const verdict of verdicts) lines.push(`  ${verdictLine(verdict)}`)
  for (const note of notes) lines.push(`  · ${note}`)
  return lines
}

function seriesLine(series) {
  const p99 = Number.isNaN(series.p99) ? '–' : duration(series.p99)
  const processor = median(series.cpu)
  const cpu = Number.isNaN(processor) ? '–' : duration(processor)
  const cells = [
    duration(series.median).padStart(10),
    p99.padStart(10),
    count(series.perSecond).padStart(11),
    cpu.padStart(10),
  ]
  return `${cells.join(' ')} ${`${(spread(series.times) * 100).toFixed(0)} %`.padStart(5)}`
}

export function verdictLine({ label, value, perRound, cpu, unit, target, met }) {
  const mark = target === undefined ? '·' : met ? '✓' : '✗'
  const details = []
  if (target !== undefined) details.push(`target ${target}`)
  if (perRound !== undefined) details.push(`per round ${number(perRound)}`)
  if (cpu !== undefined && !Number.isNaN(cpu)) details.push(`cpu ${number(cpu)}`)
  return `${mark} ${label}: ${number(value)} ${unit}${details.length > 0 ? ` (${details.join(', ')})` : ''}`
}

/** The last page: every target at a glance. */
export function summaryLines(results) {
  const judged = results.flatMap(({ verdicts = [] }) => verdicts.filter(({ target }) => target !== undefined))
  if (judged.length === 0) return []
  const met = judged.filter(verdict => verdict.met).length
  return ['', `targets: ${met} of ${judged.length} met`, ...judged.map(verdict => `  ${verdictLine(verdict)}`)]
}

/** What `--json` keeps. */
export function toJson(machine, results) {
  const rounded = results.map(({ name, title, series = [], table = [], verdicts = [], notes = [], error }) => ({
    name,
    title,
    series: [...series, ...table].map(one => ({
      name: one.name,
      operations: one.operations,
      microseconds: one.median,
      p99: Number.isNaN(one.p99) ? undefined : one.p99,
      perSecond: one.perSecond,
      rounds: one.times,
      cpu: one.cpu,
    })),
    verdicts,
    notes,
    error,
  }))
  return `${JSON.stringify({ machine, results: rounded }, undefined, 2)}\n`
}

/** Microseconds in the unit that reads best. */
export function duration(microseconds) {
  if (microseconds >= 1e6) return `${(microseconds / 1e6).toFixed(2)} s`
  if (microseconds >= 1e3) return `${(microseconds / 1e3).toFixed(2)} ms`
  return `${microseconds.toFixed(2)} µs`
}

export function count(value) {
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(1)
}

function number(value) {
  return value >= 100 ? count(value) : value.toFixed(2)
}
