import { basename, join } from 'node:path'
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import Database from 'better-sqlite3'
import { FanoutCache, type Key } from 'fanout-cache'
import { instrument } from 'fanout-cache/opentelemetry'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { followContexts, tracing } from '../../helpers/tracing.js'

followContexts()

function opened(options = {}): FanoutCache {
  const cache = new FanoutCache(temporaryDirectory(), { shards: 1, ...options })
  onTestFinished(() => cache.close())
  return cache
}

/** Metrics that are collected when they are asked for. */
function measuring() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 })
  const meterProvider = new MeterProvider({ readers: [reader] })
  onTestFinished(() => meterProvider.shutdown())
  const read = async (): Promise<MetricData[]> => {
    exporter.reset()
    await reader.forceFlush()
    return exporter.getMetrics().flatMap(one => one.scopeMetrics.flatMap(({ metrics }) => metrics))
  }
  const values = async (name: string, attributes = {}): Promise<unknown[]> => {
    const found = (await read()).find(({ descriptor }) => descriptor.name === name)
    const points = found?.dataPoints.filter(point =>
      Object.entries(attributes).every(([label, value]) => point.attributes[label] === value),
    )
    return points?.map(({ value }) => value) ?? []
  }
  return { meterProvider, read, values }
}

describe('metrics of OpenTelemetry', () => {
  it('have names, units and attributes of their own, and agree with what was done', async () => {
    const { meterProvider, read, values } = measuring()
    const cache = opened({ memory: {}, maxItems: 100 })
    instrument(cache, { meterProvider, name: 'pages', attributes: { app: 'shop' } })
    await Promise.all([cache.set('a', 1), cache.set('b', 2)])
    await Promise.all([cache.get('a'), cache.get('c')])
    await cache.getOrSet('d', () => 1)
    const all = await read()
    for (const { descriptor, dataPoints } of all) {
      expect(descriptor.name).toMatch(/^fanout_cache\.[a-z_.]+$/)
      expect(descriptor.name).not.toMatch(/total|seconds|bytes/)
      expect([descriptor.name, descriptor.unit]).toEqual([
        descriptor.name,
        expect.stringMatching(/^(By|s|\{[a-z]+\})$/),
      ])
      for (const { attributes } of dataPoints)
        expect(attributes).toMatchObject({ 'fanout_cache.name': 'pages', app: 'shop' })
    }
    expect(await values('fanout_cache.sets')).toEqual([3])
    expect(await values('fanout_cache.hits')).toEqual([1])
    expect(await values('fanout_cache.misses')).toEqual([2])
    expect(await values('fanout_cache.items')).toEqual([3])
    expect(await values('fanout_cache.size')).toEqual([await cache.volume()])
    expect(await values('fanout_cache.evictions', { 'fanout_cache.reason': 'size' })).toEqual([0])
    expect(await values('fanout_cache.compute.duration', { 'fanout_cache.outcome': 'stored' })).toMatchObject([
      { count: 1 },
    ])
    const [writes] = (await values('fanout_cache.commit.writes')) as {
      sum: number
      buckets: { boundaries: number[] }
    }[]
    expect(writes?.sum).toBeGreaterThanOrEqual(3)
    expect(writes?.buckets.boundaries).toContain(500)
  })

  it('tell several caches apart, watch one once, and end', async () => {
    const { meterProvider, values } = measuring()
    const [a, b] = [opened(), opened()]
    const watches = [a, a, b].map(cache => instrument(cache, { meterProvider, name: cache === a ? 'a' : 'b' }))
    await Promise.all([a.set(1, 1), b.set(1, 1), b.set(2, 2)])
    const both = () => Promise.all(['a', 'b'].map(name => values('fanout_cache.sets', { 'fanout_cache.name': name })))
    expect(await both()).toEqual([[1], [2]])
    watches[0]?.stop()
    await a.set(2, 2)
    expect(await both()).toEqual([[2], [2]])
    watches[1]?.stop()
    await a.set(3, 3)
    const commits = async () =>
      (await values('fanout_cache.commit.writes', { 'fanout_cache.name': 'a' })) as { sum: number }[]
    const [{ sum = 0 } = {}] = await commits()
    await a.set(4, 4)
    expect((await commits())[0]?.sum).toBe(sum)
    expect(() => instrument(b, { meterProvider, name: 'c' })).toThrow(/collected already with name: b/)
  })

  it('are those of a collection and a cache below another one as well, with their queues and waits', async () => {
    const { meterProvider, values } = measuring()
    const fanout = opened()
    const parts = [fanout.cache('part'), fanout.deque('jobs'), fanout.index('pages')] as const
    for (const one of [fanout, ...parts]) {
      onTestFinished(instrument(one, { meterProvider, durations: true }).stop)
      await one.open()
    }
    const holders = parts.map(({ directory }) => new Database(join(directory, 'cache.db')))
    for (const holder of holders) holder.exec('BEGIN IMMEDIATE')
    const [part, deque, index] = parts
    const writes = Promise.all([part.set('a', 1), deque.append(1), index.setDefault('a', 1)])
    const of = (name: string) => ({ 'fanout_cache.name': name })
    const each = (name: string) =>
      Promise.all(['part', 'jobs', 'pages'].map(async one => (await values(name, of(one)))[0]))
    expect(await each('fanout_cache.queue.length')).toEqual([1, 1, 1])
    // The first attempt is made in the check phase of the loop.
    await new Promise(resolve => setImmediate(() => setImmediate(resolve)))
    for (const holder of holders) holder.exec('ROLLBACK').close()
    await writes
    expect(await each('fanout_cache.queue.length')).toEqual([0, 0, 0])
    expect(await each('fanout_cache.sets')).toEqual([1, 1, 1])
    expect(await each('fanout_cache.shards')).toEqual([1, 1, 1])
    expect(await each('fanout_cache.lock_wait.duration')).toMatchObject([{ count: 1 }, { count: 1 }, { count: 1 }])
    const verbs = await values('db.client.operation.duration')
    expect(verbs).toMatchObject([{ count: 1 }, { count: 1 }, { count: 1 }])
    const [whole] = await values('fanout_cache.sets', of(basename(fanout.directory)))
    expect(whole).toBe(0)
  })

  it('measure calls where that is asked for, and name the kind of an error and no message', async () => {
    const { meterProvider, values } = measuring()
    const cache = opened()
    instrument(cache, { meterProvider, name: 'it', durations: true })
    await cache.set('a', 1)
    await cache.set('b', 1)
    await expect(cache.get('a', { timeout: 'secret' } as object)).rejects.toThrow()
    const own = { 'db.system.name': 'fanout-cache', 'db.namespace': 'it' }
    const name = 'db.client.operation.duration'
    expect(await values(name, { ...own, 'db.operation.name': 'set' })).toMatchObject([{ count: 2 }])
    const failed = await values(name, { ...own, 'db.operation.name': 'get', 'error.type': 'RangeError' })
    const mistyped = await values(name, { ...own, 'db.operation.name': 'get', 'error.type': 'TypeError' })
    expect([...failed, ...mistyped]).toMatchObject([{ count: 1 }])
  })
})

describe('spans of OpenTelemetry', () => {
  it('are made for each call, below what called, and around what it does', async () => {
    const { tracerProvider, spans } = tracing()
    const cache = opened()
    const { stop } = instrument(cache, { tracerProvider, spans: true, name: 'pages' })
    const tracer = tracerProvider.getTracer('app')
    await tracer.startActiveSpan('request', async request => {
      await cache.getOrSet('user:1', async () => {
        await new Promise(resolve => setImmediate(resolve))
        tracer.startSpan('query').end()
        return 1
      })
      await cache.get('user:2')
      request.end()
    })
    stop()
    await cache.get('user:1')
    const [query, compute, get, request] = spans()
    expect(spans().map(({ name }) => name)).toEqual(['query', 'getOrSet pages', 'get pages', 'request'])
    expect(query?.parentSpanContext?.spanId).toBe(compute?.spanContext().spanId)
    expect(compute?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId)
    expect(get?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId)
    expect(get?.kind).toBe(SpanKind.CLIENT)
    expect(get?.attributes).toEqual({
      'db.system.name': 'fanout-cache',
      'db.namespace': 'pages',
      'db.operation.name': 'get',
      'fanout_cache.hit': false,
    })
    expect(JSON.stringify(spans().map(({ attributes, events }) => [attributes, events]))).not.toContain('user:')
  })

  it('say the keys only when asked, and what went wrong', async () => {
    const { tracerProvider, spans } = tracing()
    const cache = opened()
    const { stop } = instrument(cache, { tracerProvider, spans: true, keys: true })
    onTestFinished(stop)
    await cache.set('user:1', 1)
    await expect(cache.getOrSet(['a', 2], () => Promise.reject(new RangeError('down')))).rejects.toThrow('down')
    const [set, failed] = spans()
    expect(set?.attributes['fanout_cache.key']).toBe('user:1')
    expect(failed?.attributes['error.type']).toBe('RangeError')
    expect(failed?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'down' })
    expect(failed?.events[0]).toMatchObject({ name: 'exception', attributes: { 'exception.message': 'down' } })
  })

  it.each([
    ["[ 'a', 2 ]", ['a', 2]],
    ['{ user: { id: 5n } }', { user: { id: 5n } }],
    ['[Object: null prototype] { a: 1 }', Object.assign(Object.create(null) as object, { a: 1 })],
    ['01ff', new Uint8Array([1, 255])],
    ['null', null],
  ] as [string, Key][])('tell keys apart that are no text: %s', async (text, key) => {
    const { tracerProvider, spans } = tracing()
    const cache = opened()
    onTestFinished(instrument(cache, { tracerProvider, spans: true, keys: true }).stop)
    expect(await cache.get(key)).toBeUndefined()
    expect(spans()[0]?.attributes['fanout_cache.key']).toBe(text)
  })

  it('have a key whole, however long the text in it is', async () => {
    const { tracerProvider, spans } = tracing()
    const cache = opened()
    onTestFinished(instrument(cache, { tracerProvider, spans: true, keys: true }).stop)
    const text = 'a'.repeat(10_001)
    expect(await cache.get([text])).toBeUndefined()
    expect(spans()[0]?.attributes['fanout_cache.key']).toBe(`[ '${text}' ]`)
  })

  it('are of one cache alone, once however often it is asked for', async () => {
    const { tracerProvider, spans } = tracing()
    const [cache, other] = [opened(), opened()]
    const watches = [0, 1].map(() => instrument(cache.namespace('n'), { tracerProvider, spans: true }))
    await Promise.all([cache.set('a', 1), other.set('a', 1)])
    expect(spans()).toHaveLength(1)
    watches[0]?.stop()
    await cache.set('a', 1)
    expect(spans()).toHaveLength(2)
    watches[1]?.stop()
    await cache.set('a', 1)
    expect(spans()).toHaveLength(2)
  })

  it('cost nothing and fail nothing without a provider', async () => {
    const cache = opened()
    const { stop } = instrument(cache, { spans: true, durations: true })
    expect(trace.getActiveSpan()).toBeUndefined()
    expect(await cache.getOrSet('a', () => 1)).toBe(1)
    stop()
    stop()
  })
})

describe('what is asked for wrongly', () => {
  const wrong: readonly (readonly [object, RegExp])[] = [
    [{ span: true }, /unknown option span; did you mean spans/],
    [{ spans: 'yes' }, /spans must be true or false, got 'yes'/],
    [{ meterProvider: {} }, /meterProvider must be an object with getMeter/],
    [{ tracerProvider: 1 }, /tracerProvider must be an object with getTracer, got 1/],
    [{ attributes: 1 }, /attributes must be an object, got 1/],
    [{ name: '' }, /name must be a string/],
  ]

  it.each(wrong)('is refused: %o', (options, message) => {
    expect(() => instrument(opened(), options)).toThrow(message)
  })
})
