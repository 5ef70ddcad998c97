import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Demo, startDemo } from '../helpers/demo.js'
import { type Family, parseMetrics, sampleOf } from '../helpers/prometheus-text.js'

const WORDS = ['oslo', 'tokio']

describe('the metrics of the demo, as Prometheus reads them', () => {
  let demo: Demo

  beforeEach(async () => {
    demo = await startDemo()
  })

  afterEach(async () => await demo?.stop())

  async function scrape(): Promise<{ families: Map<string, Family>; worker: string | null }> {
    const response = await fetch(`${demo.url}/metrics`, { headers: { Connection: 'close' } })
    // A worker that does not answer the primary in time, on a busy machine: Prometheus would come again as well.
    if (response.status === 503) return scrape()
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    return { families: parseMetrics(await response.text()), worker: response.headers.get('x-worker') }
  }

  async function ask(path: string, init?: RequestInit): Promise<Response> {
    const response = await fetch(`${demo.url}${path}`, { ...init, headers: { ...init?.headers, Connection: 'close' } })
    expect(response.status).toBe(200)
    return response
  }

  async function count(): Promise<number> {
    return ((await (await ask('/api/stats')).json()) as { count: number }).count
  }

  it('are those of all workers, whichever is asked, and agree with what was done', async () => {
    const before = (await scrape()).families
    const empty = await count()
    const statuses: string[] = []
    for (let times = 0; times < 3; times++) {
      for (const word of WORDS) {
        const response = await ask(`/api/search?q=${word}`)
        await response.text()
        statuses.push(response.headers.get('cache-status') ?? '')
        // A client has its answer before the entry is committed: who asks meanwhile may look for it more than once.
        const expected = empty + Math.min(statuses.length, WORDS.length)
        await expect.poll(count).toBe(expected)
      }
    }
    const stored = statuses.filter(status => status.includes('stored')).length
    const hits = statuses.filter(status => status.startsWith('fanout-cache; hit')).length
    expect([stored, hits]).toEqual([WORDS.length, 2 * WORDS.length])
    const headers = { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' }
    const { purged } = (await (await ask('/purge', { method: 'POST', headers, body: 'tag=country:JP' })).json()) as {
      purged: number
    }
    expect(purged).toBeGreaterThan(0)

    const seen = new Set<string | null>()
    for (let tries = 0; tries < 200 && seen.size < 2; tries++) {
      const { families, worker } = await scrape()
      seen.add(worker)
      const grown = (name: string): number =>
        sampleOf(families, `fanout_cache_${name}`) - sampleOf(before, `fanout_cache_${name}`)
      expect(grown('sets_total')).toBe(stored)
      expect(grown('hits_total')).toBe(hits)
      expect(grown('deletes_total')).toBe(purged)
      expect(grown('items')).toBe(stored - purged)
      expect(sampleOf(families, 'fanout_cache_shards')).toBe(8)
      expect(sampleOf(families, 'fanout_cache_size_limit_bytes')).toBe(256 * 2 ** 20)
      expect(sampleOf(families, 'fanout_cache_errors_total')).toBe(0)
      expect(families.get('fanout_cache_sets_total')?.samples[0]?.labels).toEqual({ cache: 'demo' })
      expect(grown('commit_writes_sum')).toBeGreaterThanOrEqual(stored)
    }
    expect(seen.size).toBe(2)
    expect(sampleOf((await scrape()).families, 'fanout_cache_items')).toBe(await count())
  })
})
