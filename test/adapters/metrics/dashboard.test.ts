import { readFileSync } from 'node:fs'
import { FanoutCache } from 'fanout-cache'
import { collectMetrics } from 'fanout-cache/prom-client'
import { Registry } from 'prom-client'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Family, parseMetrics } from '../../helpers/prometheus-text.js'

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
}

const file = new URL('../../../docs/grafana-dashboard.json', import.meta.url)
const { panels, templating } = JSON.parse(readFileSync(file, 'utf8')) as Dashboard
const shown = panels.filter(({ type }) => type !== 'row')
const targets = shown.flatMap(({ title, targets = [] }) => targets.map(target => ({ title, ...target })))
const variables = templating.list.map(({ name }) => name)

/** Prometheus adds them to what it scrapes. */
const OF_THE_TARGET = ['instance', 'job']
const OF_GRAFANA = ['__rate_interval', '__range']

describe('the dashboard for Grafana', () => {
  let families: Map<string, Family>

  beforeAll(async () => {
    const register = new Registry()
    const cache = new FanoutCache(undefined, { memory: {}, maxItems: 10 })
    await cache.set('a', 1)
    collectMetrics(cache, { register })
    families = parseMetrics(await register.metrics())
    await cache.close()
  })

  /** The labels that a metric of an expression has in a scrape; undefined when there is no such metric. */
  function labelsOf(metric: string): Set<string> | undefined {
    const base = metric.replace(/_(bucket|sum|count)$/, '')
    const family = families.get(metric) ?? (families.get(base)?.type === 'histogram' ? families.get(base) : undefined)
    const samples = family?.samples.filter(({ name }) => name === metric)
    return samples?.length ? new Set(samples.flatMap(({ labels }) => Object.keys(labels))) : undefined
  }

  it.each(targets)('asks for what is there: $title, $legendFormat', ({ expr, legendFormat }) => {
    const metrics = [...expr.matchAll(/\b(fanout_cache_\w+)/g)].map(([, name = '']) => name)
    expect(metrics.length).toBeGreaterThan(0)
    const known = metrics.map(metric => [metric, labelsOf(metric)] as const)
    expect(known.filter(([, labels]) => labels === undefined)).toEqual([])
    const selected = [...expr.matchAll(/(\w+)=~?"/g)].map(([, label = '']) => label)
    const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '))
    const legend = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label)
    for (const label of [...selected, ...grouped].filter(one => !OF_THE_TARGET.includes(one))) {
      expect(known.filter(([, labels]) => !labels?.has(label))).toEqual([])
    }
    // A legend says what the expression leaves.
    expect(legend.filter(label => !grouped.includes(label))).toEqual([])
    const asked = [...expr.matchAll(/\$(\w+)/g)].map(([, name = '']) => name)
    expect(asked.filter(name => !variables.includes(name) && !OF_GRAFANA.includes(name))).toEqual([])
    for (const [open = '', close = ''] of ['()', '{}', '[]']) {
      expect(expr.split(open).length).toBe(expr.split(close).length)
    }
  })

  it('rates what only grows, and nothing else', () => {
    for (const { expr } of targets) {
      for (const [, metric = ''] of expr.matchAll(/(?:rate|increase)\((fanout_cache_\w+)/g)) {
        expect(metric).toMatch(/_(total|bucket|sum|count)$/)
      }
      for (const [before, metric = ''] of expr.matchAll(/\w+\((fanout_cache_\w+)/g)) {
        if (/_(total|bucket|sum|count)$/.test(metric)) expect(before).toMatch(/^(rate|increase)\(/)
      }
    }
  })

  it('shows every metric but the times of single verbs, which are off', () => {
    const all = targets.map(({ expr }) => expr).join(' ')
    const left = [...families.keys()].filter(name => !all.includes(name))
    expect(left.sort()).toEqual(['fanout_cache_memory_items', 'fanout_cache_verb_seconds'])
  })

  it('has its variables from metrics that are there, and panels beside each other', () => {
    for (const { definition } of templating.list) {
      const metric = /fanout_cache_\w+/.exec(definition ?? '')?.[0]
      if (metric !== undefined) expect(labelsOf(metric)).toBeDefined()
    }
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)}/${y + Math.floor(at / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
  })
})
