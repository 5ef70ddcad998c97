import { execFileSync } from 'node:child_process'
import { Cache, Deque, FanoutCache } from 'fanout-cache'
import { collectMetrics } from 'fanout-cache/prom-client'
import {
  AggregatorRegistry,
  Counter,
  register as globalRegister,
  type OpenMetricsContentType,
  Registry,
} from 'prom-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Family, parseMetrics, sampleOf } from '../../helpers/prometheus-text.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

function opened(options = {}): FanoutCache {
  const cache = new FanoutCache(temporaryDirectory(), { shards: 2, ...options })
  onTestFinished(() => cache.close())
  return cache
}

async function scrape(register: { metrics(): Promise<string> }): Promise<Map<string, Family>> {
  return parseMetrics(await register.metrics())
}

const NAMES = [
  ...[
    'gets',
    'hits',
    'misses',
    'sets',
    'deletes',
    'expirations',
    'evictions',
    'refusals',
    'timeouts',
    'commits',
    'lock_waits',
  ],
  ...['computations', 'quarantines', 'errors', 'memory_hits', 'memory_misses', 'memory_evictions'],
].map(name => `fanout_cache_${name}_total`)
const GAUGES = [
  ...['size_bytes', 'size_limit_bytes', 'items', 'items_limit', 'shards', 'wal_bytes', 'queue_length', 'queue_bytes'],
  ...['memory_bytes', 'memory_limit_bytes', 'memory_items'],
].map(name => `fanout_cache_${name}`)
const HISTOGRAMS = ['lock_wait', 'commit', 'compute', 'verb'].map(name => `fanout_cache_${name}_seconds`)

describe('a scrape', () => {
  it('has all metrics by the rules of Prometheus, from the start and with their labels', async () => {
    const register = new Registry()
    const cache = opened({ memory: {}, maxItems: 100 })
    await cache.open()
    collectMetrics(cache, { register, name: 'pages', labels: { app: 'shop' } })
    const families = await scrape(register)
    const names = [...NAMES, ...GAUGES, ...HISTOGRAMS, 'fanout_cache_commit_writes']
    expect([...families.keys()].sort()).toEqual(names.sort())
    for (const { name, samples, help } of families.values()) {
      expect(help).toMatch(/^[A-Z].*\.$/)
      if (name !== 'fanout_cache_verb_seconds') expect([name, samples.length > 0]).toEqual([name, true])
      for (const { labels } of samples) expect(labels).toMatchObject({ cache: 'pages', app: 'shop' })
    }
    const reasons = (name: string, label: string) => families.get(name)?.samples.map(({ labels }) => labels[label])
    expect(reasons('fanout_cache_evictions_total', 'reason')).toEqual(['size', 'items', 'full'])
    expect(reasons('fanout_cache_refusals_total', 'reason')).toEqual(['timeout', 'too-large', 'full', 'pending'])
    expect(sampleOf(families, 'fanout_cache_items_limit')).toBe(100)
  })

  it('agrees with what was done, in counters and histograms', async () => {
    const register = new Registry()
    const cache = opened({ shards: 1 })
    await cache.set('before', 1)
    const { stop } = collectMetrics(cache, { register, durations: true })
    await Promise.all(Array.from({ length: 30 }, (_, at) => cache.set(at, at)))
    for (let at = 20; at < 40; at++) await cache.get(at)
    await cache.getOrSet('c', () => 1)
    const families = await scrape(register)
    const value = (name: string, labels = {}) => sampleOf(families, `fanout_cache_${name}`, labels)
    expect(value('hits_total')).toBe(10)
    expect(value('misses_total')).toBe(11)
    expect(value('sets_total')).toBe(32)
    expect(value('commit_writes_sum')).toBeGreaterThanOrEqual(32)
    expect(value('commit_writes_count')).toBeLessThan(32)
    expect(value('commit_seconds_count')).toBe(value('commit_writes_count'))
    expect(value('compute_seconds_count', { outcome: 'stored' })).toBe(1)
    expect(value('verb_seconds_count', { verb: 'get' })).toBe(20)
    expect(value('verb_seconds_count', { verb: 'set' })).toBe(30)
    stop()
    stop()
    expect(await register.metrics()).toBe('\n')
  })

  it('listens to nothing any more when it is stopped', () => {
    const script = `
      import { hasSubscribers } from 'node:diagnostics_channel'
      import { Cache } from 'fanout-cache'
      import { collectMetrics } from 'fanout-cache/prom-client'
      const names = ['commit', 'lock-wait', 'compute'].map(name => 'fanout-cache:' + name)
      const { stop } = collectMetrics(new Cache('${temporaryDirectory()}'), { durations: true })
      console.log(names.filter(hasSubscribers).length)
      stop()
      console.log(names.filter(hasSubscribers).length)`
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })).toBe('3\n0\n')
  })

  it('has no label that comes from keys, however many there are', async () => {
    const register = new Registry()
    const cache = opened()
    collectMetrics(cache, { register, durations: true })
    const touch = async (key: string) => {
      await cache.set(key, 1, { tag: key })
      await cache.getOrSet(key, () => 1)
      await cache.delete(key)
    }
    await touch('first')
    const { length } = (await register.metrics()).split('\n')
    for (let at = 0; at < 50; at++) await touch(`secret-${at}`)
    const text = await register.metrics()
    expect(text.split('\n')).toHaveLength(length)
    expect(text).not.toContain('secret')
  })

  it('waits for nobody, and opens nothing', async () => {
    const register = new Registry()
    const directory = temporaryDirectory()
    const cache = new Cache(directory, { timeout: 60_000 })
    collectMetrics(cache, { register, name: 'it' })
    const families = await scrape(register)
    expect(families.get('fanout_cache_items')?.samples).toEqual([])
    expect(sampleOf(families, 'fanout_cache_sets_total')).toBe(0)
    await cache.set('a', 1)
    const scraping = scrape(register)
    await cache.close()
    expect(sampleOf(await scraping, 'fanout_cache_items')).toBe(1)
  })

  it('is an OpenMetrics one from a register of that kind', async () => {
    const register = new Registry<OpenMetricsContentType>()
    register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
    const cache = opened()
    const { stop } = collectMetrics(cache, { register, name: 'it' })
    await cache.set('a', 1)
    for (let scrapes = 0; scrapes < 2; scrapes++) {
      const text = await register.metrics()
      expect(text).toContain('# TYPE fanout_cache_sets counter\nfanout_cache_sets_total{cache="it"} 1\n')
      expect(text).toMatch(/# EOF\n$/)
    }
    stop()
    expect(await register.metrics()).not.toContain('fanout_cache')
  })

  it('has names and labels escaped', async () => {
    const register = new Registry()
    collectMetrics(opened(), { register, name: 'a "b"\\\n{c}' })
    const families = await scrape(register)
    expect(families.get('fanout_cache_sets_total')?.samples[0]?.labels.cache).toBe('a "b"\\\n{c}')
  })
})

describe('several caches in one register', () => {
  it('are told apart by name, and leave one by one', async () => {
    const register = new Registry()
    const [a, b] = [opened(), opened()]
    const first = collectMetrics(a, { register, name: 'a' })
    const second = collectMetrics(b, { register, name: 'b', durations: true })
    await Promise.all([a.set(1, 1), b.set(1, 1), b.set(2, 2)])
    const families = await scrape(register)
    expect(sampleOf(families, 'fanout_cache_sets_total', { cache: 'a' })).toBe(1)
    expect(sampleOf(families, 'fanout_cache_sets_total', { cache: 'b' })).toBe(2)
    expect(sampleOf(families, 'fanout_cache_verb_seconds_count', { cache: 'b' })).toBe(2)
    second.stop()
    await b.set(3, 3)
    const left = await register.metrics()
    expect(left).not.toContain('cache="b"')
    expect(left).toContain('cache="a"')
    first.stop()
    expect(await register.metrics()).toBe('\n')
  })

  it('take any prefix, and every view and collection for the directory that it lies in', async () => {
    const register = new Registry()
    const cache = opened()
    const deque = new Deque(temporaryDirectory())
    onTestFinished(() => deque.close())
    collectMetrics(cache.namespace('n'), { register, prefix: 'x_', name: 'n' })
    collectMetrics(deque, { register, name: 'd' })
    await Promise.all([cache.set('a', 1), deque.append(1)])
    const families = await scrape(register)
    expect(sampleOf(families, 'x_sets_total', { cache: 'n' })).toBe(1)
    expect(sampleOf(families, 'fanout_cache_sets_total', { cache: 'd' })).toBe(1)
  })

  it('are one for two calls on one directory, until both have ended', async () => {
    const register = new Registry()
    const directory = temporaryDirectory()
    const [one, other] = [new Cache(directory), new Cache(directory)]
    onTestFinished(async () => void (await Promise.all([one.close(), other.close()])))
    const calls = [one, other].map(cache => collectMetrics(cache, { register, name: 'it' }))
    await one.set('a', 1)
    await other.set('b', 1)
    expect(sampleOf(await scrape(register), 'fanout_cache_sets_total')).toBe(2)
    calls[0]?.stop()
    expect(sampleOf(await scrape(register), 'fanout_cache_sets_total')).toBe(2)
    calls[1]?.stop()
    expect(await register.metrics()).toBe('\n')
  })

  it('stay one when the code is loaded again, or the register was cleared', async () => {
    const register = new Registry()
    const cache = opened()
    collectMetrics(cache, { register, name: 'it' })
    const reloaded = await import(`${import.meta.resolve('fanout-cache/prom-client')}?reloaded`)
    reloaded.collectMetrics(cache, { register, name: 'it' })
    await cache.set('a', 1)
    expect(sampleOf(await scrape(register), 'fanout_cache_sets_total')).toBe(1)
    expect(sampleOf(await scrape(register), 'fanout_cache_commit_writes_count')).toBeGreaterThan(0)
    register.clear()
    expect(await register.metrics()).toBe('\n')
    collectMetrics(cache, { register, name: 'it' })
    expect(sampleOf(await scrape(register), 'fanout_cache_sets_total')).toBe(1)
  })

  it('become one of all processes: sums, but for what all of them see alike', async () => {
    const cache = opened({ shards: 2 })
    await cache.set('a', 1)
    const register = new Registry()
    collectMetrics(cache, { register, name: 'it' })
    const worker = await register.getMetricsAsJSON()
    const both = AggregatorRegistry.aggregate([worker, worker] as object[])
    const [one, all] = [await scrape(register), await scrape(both)]
    const names = ['sets_total', 'commits_total', 'items', 'shards', 'size_bytes', 'size_limit_bytes', 'wal_bytes']
    const ratios = names.map(name => sampleOf(all, `fanout_cache_${name}`) / sampleOf(one, `fanout_cache_${name}`))
    expect(ratios).toEqual([2, 2, 1, 1, 1, 1, 1])
  })
})

describe('what is asked for wrongly', () => {
  const register = new Registry()
  const wrong: readonly (readonly [string, object | undefined, ErrorConstructor, RegExp])[] = [
    [
      'an option that there is not',
      { registre: register },
      TypeError,
      /unknown option registre; did you mean register/,
    ],
    ['no register', { register: {} }, TypeError, /register must be an object with registerMetric/],
    ['a prefix that is no text', { prefix: 1 }, TypeError, /prefix must be a string, got 1/],
    ['a prefix that is none', { prefix: '1-' }, RangeError, /prefix must be .* got '1-'/],
    ['a name that is no text', { name: 3 }, TypeError, /name must be a string/],
    ['labels that are none', { labels: 'a' }, TypeError, /labels must be an object/],
    ['a label that is no text', { labels: { a: 1 } }, TypeError, /label a must be a string, got 1/],
    ['a label with a meaning', { labels: { cache: 'a' } }, RangeError, /'cache' cannot be a label/],
    ['a label that is no name', { labels: { 'a-b': 'a' } }, RangeError, /'a-b' cannot be a label/],
    ['a switch that is none', { durations: 1 }, TypeError, /durations must be true or false, got 1/],
  ]

  it.each(wrong)('%s is refused', (_what, options, kind, message) => {
    const attempt = () => collectMetrics(opened(), { register, ...options } as object)
    expect(attempt).toThrow(kind)
    expect(attempt).toThrow(message)
  })

  it('no cache is refused', () => {
    for (const cache of [undefined, null, {}, 'directory', { directory: '' }]) {
      expect(() => collectMetrics(cache as never, { register })).toThrow(
        /collectMetrics: the first argument must be a cache/,
      )
    }
  })

  it('names, labels and metrics that others have are refused, and nothing is left of it', async () => {
    const own = new Registry()
    const [a, b] = [opened(), opened()]
    collectMetrics(a, { register: own, name: 'a', labels: { app: 'x' } })
    expect(() => collectMetrics(a, { register: own, name: 'b' })).toThrow(/collected already with name: a, app: x/)
    expect(() => collectMetrics(b, { register: own, name: 'a', labels: { app: 'y' } })).toThrow(
      /give this one another name/,
    )
    expect(() => collectMetrics(b, { register: own, name: 'b' })).toThrow(/the same labels: expected app/)
    collectMetrics(b, { register: own, name: 'b', labels: { app: 'y' } })
    const taken = new Registry()
    new Counter({ name: 'fanout_cache_sets_total', help: 'of somebody else', registers: [taken] })
    expect(() => collectMetrics(a, { register: taken })).toThrow(/fanout_cache_sets_total of somebody else/)
    expect(taken.getMetricsAsArray()).toHaveLength(1)
  })
})

describe('the global register', () => {
  it('is the one that is used where none is given', async () => {
    const cache = opened()
    const { stop } = collectMetrics(cache)
    onTestFinished(stop)
    const name = cache.directory.split('/').at(-1)
    expect(await globalRegister.metrics()).toContain(`fanout_cache_sets_total{cache="${name}"} 0`)
  })
})
