/** One sample of a scrape. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped'
  readonly help: string
  readonly samples: Sample[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]Inf|NaN)$/

/**
 * Reads what a server of metrics says, and throws where it is not exactly the text format of Prometheus, version 0.0.4: each family has
 * one HELP and one TYPE before its samples and stands in one piece, no series comes twice, counters are no less than 0 and are called
 * `_total`, buckets grow up to `+Inf`, which is the count.
 */
export function parseMetrics(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end')
  const families = new Map<string, Family>()
  let current: Family | undefined
  let help: { readonly name: string; readonly text: string } | undefined
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    const comment = new RegExp(`^# (HELP|TYPE) (${NAME}) (.+)$`).exec(line)
    if (comment) {
      const [, kind, name = '', rest = ''] = comment
      if (kind === 'HELP') {
        help = { name, text: rest }
        continue
      }
      if (!/^(counter|gauge|histogram|summary|untyped)$/.test(rest)) throw new Error(`no type: ${line}`)
      if (help?.name !== name) throw new Error(`TYPE without its HELP: ${line}`)
      if (families.has(name)) throw new Error(`a second TYPE: ${line}`)
      current = { name, type: rest as Family['type'], help: help.text, samples: [] }
      families.set(name, current)
      continue
    }
    if (line.startsWith('#')) throw new Error(`neither HELP nor TYPE: ${line}`)
    const sample = parseSample(line)
    if (!current || !namesOf(current).includes(sample.name)) throw new Error(`outside of its family: ${line}`)
    current.samples.push(sample)
  }
  for (const family of families.values()) check(family)
  return families
}

/** The value of the one sample with this name and these labels among its labels. */
export function sampleOf(families: Map<string, Family>, name: string, labels: Record<string, string> = {}): number {
  const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''))
  const found = family?.samples.filter(
    sample => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  )
  if (found?.length !== 1) throw new Error(`${found?.length ?? 'no family and 0'} samples of ${name}`)
  return found[0]?.value ?? Number.NaN
}

function namesOf({ name, type }: Family): string[] {
  return type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]
}

function parseSample(line: string): Sample {
  const parts = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`).exec(line)
  if (!parts) throw new Error(`no sample: ${line}`)
  const [, name = '', inner, number = ''] = parts
  if (!NUMBER.test(number)) throw new Error(`no number: ${line}`)
  const labels: Record<string, string> = {}
  const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,|$)/y
  while (inner !== undefined && label.lastIndex < inner.length) {
    const found = label.exec(inner)
    if (!found) throw new Error(`labels: ${line}`)
    const [, key = '', value = ''] = found
    if (key in labels) throw new Error(`a label twice: ${line}`)
    labels[key] = value.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
  }
  return { name, labels, value: Number(number.replace('Inf', 'Infinity')) }
}

function check(family: Family): void {
  const { name, type, samples } = family
  const series = samples.map(sample => `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`)
  if (new Set(series).size !== series.length) throw new Error(`${name} has a series twice`)
  if (type === 'counter') {
    if (!name.endsWith('_total')) throw new Error(`the counter ${name} is not called _total`)
    if (samples.some(({ value }) => !(value >= 0))) throw new Error(`the counter ${name} is below 0`)
  } else if (name.endsWith('_total')) throw new Error(`${name} is no counter`)
  if (type === 'histogram') checkHistogram(family)
}

function checkHistogram({ name, samples }: Family): void {
  const groups = new Map<string, Sample[]>()
  for (const sample of samples) {
    const { le: _le, ...rest } = sample.labels
    const group = JSON.stringify(Object.entries(rest).sort())
    groups.set(group, [...(groups.get(group) ?? []), sample])
  }
  for (const [group, own] of groups) {
    const buckets = own.filter(sample => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels }) => Number(labels.le?.replace('Inf', 'Infinity')))
    const rising = (values: readonly number[], least: number): boolean =>
      values.every((value, at) => at === 0 || value - (values[at - 1] as number) >= least)
    if (bounds.some(Number.isNaN) || new Set(bounds).size !== bounds.length || !rising(bounds, 0)) {
      throw new Error(`the bounds of ${name}${group} do not rise`)
    }
    const counts = buckets.map(({ value }) => value)
    if (!rising(counts, 0)) throw new Error(`the buckets of ${name}${group} do not grow`)
    const count = own.filter(sample => sample.name === `${name}_count`)
    const sum = own.filter(sample => sample.name === `${name}_sum`)
    if (count.length !== 1 || sum.length !== 1) throw new Error(`${name}${group} needs one sum and one count`)
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY || counts.at(-1) !== count[0]?.value) {
      throw new Error(`the last bucket of ${name}${group} is not +Inf with the count`)
    }
  }
}
