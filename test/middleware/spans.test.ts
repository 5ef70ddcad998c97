import { EventEmitter } from 'node:events'
import type { RequestListener } from 'node:http'
import { Readable } from 'node:stream'
import { SpanKind } from '@opentelemetry/api'
import type { Express } from 'express'
import { Cache, FanoutCache } from 'fanout-cache'
import { purge, sendFile } from 'fanout-cache/express'
import { instrument } from 'fanout-cache/opentelemetry'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { Gate } from '../helpers/gate.js'
import { PATIENCE_MILLISECONDS } from '../helpers/patience.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { followContexts, tracing } from '../helpers/tracing.js'
import { settled, site, statusOf } from './response-cache/support/app.js'
import { plain } from './support/apps.js'
import { ask, listen } from './support/http.js'

followContexts()

const OWN = /^(?:count|has) it$/
const LARGE = 'a'.repeat(200_000)

/** Traces, and a listener that puts each request below a span that is named by its field `who`. */
function requests() {
  const traces = tracing()
  // What the tests themselves ask of the cache.
  const spans = () => traces.spans().filter(({ name }) => !OWN.test(name))
  const tree = () => traces.tree().filter(name => !OWN.test(name))
  const below = (listener: RequestListener): RequestListener => {
    return (request, response) =>
      traces.tracer.startActiveSpan(String(request.headers.who), span => {
        response.on('close', () => span.end())
        listener(request, response)
      })
  }
  /** The outcomes of the steps of a name, in the order of their ends. */
  const outcomes = (name: string) =>
    spans()
      .filter(one => one.name === name)
      .map(({ attributes }) => attributes['fanout_cache.outcome'])
  return { ...traces, spans, tree, below, outcomes }
}

const as = (who: string, headers = {}) => ({ headers: { who, ...headers } })

describe('spans of responseCache', () => {
  async function traced(
    mount: (app: Express) => void,
    directory = temporaryDirectory(),
    collapseTimeout = PATIENCE_MILLISECONDS,
  ) {
    const traces = requests()
    const above = (app: Express): void =>
      void app.use((req, res, next) => traces.below(() => next())(req as never, res as never))
    const made = await site(mount, { above, directory, options: { collapseTimeout } })
    const options = { tracerProvider: traces.tracerProvider, spans: true, name: 'it' }
    onTestFinished(instrument(made.cache, options).stop)
    return { ...made, ...traces }
  }

  it('show lookups below their requests, with what was found, and what was stored', async () => {
    const { get, tree, outcomes, clock, cache } = await traced(
      app =>
        void app.get('/', (req, res) => {
          res.set({ 'Cache-Control': 'max-age=10', ETag: '"1"' })
          if (req.headers['if-none-match'] === '"1"') res.status(304).end()
          else res.send('text')
        }),
    )
    expect(statusOf(await get('/', as('first')))).toContain('stored')
    await settled(cache)
    expect(statusOf(await get('/', as('second')))).toContain('hit')
    clock.advance(11_000)
    expect(statusOf(await get('/', as('third')))).toContain('fwd=stale; fwd-status=304')
    await settled(cache)
    expect(tree()).toEqual([
      ...['first', '  responseCache.lookup it', '  responseCache.store it'],
      ...['second', '  responseCache.lookup it'],
      ...['third', '  responseCache.lookup it', '  responseCache.store it'],
    ])
    expect(outcomes('responseCache.lookup it')).toEqual(['miss', 'hit', 'stale'])
    expect(outcomes('responseCache.store it')).toEqual(['stored', 'stored'])
  })

  it('are those of a database, and hold no part of the URL', async () => {
    const { get, spans } = await traced(app => void app.get('/user', (_req, res) => void res.send('text')))
    await get('/user?token=secret', as('request'))
    const [lookup] = spans()
    expect(lookup?.kind).toBe(SpanKind.CLIENT)
    expect(lookup?.attributes).toEqual({
      'db.system.name': 'fanout-cache',
      'db.namespace': 'it',
      'db.operation.name': 'responseCache.lookup',
      'fanout_cache.outcome': 'miss',
    })
    expect(JSON.stringify(spans().map(({ attributes, events }) => [attributes, events]))).not.toMatch(/secret|user/)
  })

  it('show who waits for the answer to another request', async () => {
    const gate = new Gate()
    const { get, tree, spans, cache } = await traced(
      app =>
        void app.get('/', async (_req, res) => {
          await gate.opened
          res.set('Cache-Control', 'max-age=10').send('text')
        }),
    )
    const first = get('/', as('first'))
    await expect.poll(() => tree()).toEqual(['first', '  responseCache.lookup it'])
    await settled(cache)
    const second = get('/', as('second'))
    await expect.poll(() => tree()).toContain('  responseCache.wait it')
    expect(spans().map(({ name }) => name)).toEqual(['responseCache.lookup it', 'responseCache.lookup it'])
    gate.open()
    expect([await first, await second].map(statusOf)).toEqual(['fwd=uri-miss; stored', 'fwd=uri-miss; collapsed'])
    await settled(cache)
    expect(tree()).toEqual([
      ...['first', '  responseCache.lookup it', '  responseCache.store it'],
      ...['second', '  responseCache.lookup it', '  responseCache.wait it'],
    ])
  })

  it('show who waits for the answer that another process fetches', async () => {
    const directory = temporaryDirectory()
    const other = new FixtureProcess(new URL('../faults/fixtures/response-server.mjs', import.meta.url), { directory })
    const port = Number((await other.line('port ')).slice('port '.length))
    const { get, tree } = await traced(app => void app.get('/', (_req, res) => void res.send('mine')), directory)
    const theirs = ask(port, '/', as('theirs', { host: 'a' }))
    await other.line('called')
    const reply = get('/', as('request', { host: 'a' }))
    await expect.poll(() => tree()).toEqual(['request', '  responseCache.lookup it', '  responseCache.wait it'])
    other.send('go')
    expect((await reply).text).toBe((await theirs).text)
    expect(tree().at(-1)).toBe('  responseCache.lookup it')
  })

  it('lie below their own request when the handler answers in the context of another', async () => {
    // As of a connection to a database that several requests share: it calls back in the context that has made it.
    const connection = new EventEmitter()
    const { get, tree, cache } = await traced(
      app =>
        void app.get('/:name', (req, res) => {
          connection.once(req.params.name, () => res.set('Cache-Control', 'max-age=10').send(req.params.name))
          if (connection.listenerCount('a') + connection.listenerCount('b') < 2) return
          connection.emit('a')
          connection.emit('b')
        }),
    )
    const first = get('/a', as('first'))
    await expect.poll(() => connection.listenerCount('a')).toBe(1)
    await get('/b', as('second'))
    await first
    await settled(cache)
    const own = ['  responseCache.lookup it', '  responseCache.store it']
    expect(tree()).toEqual(['first', ...own, 'second', ...own])
  })

  it('take nothing from those who wait, such as an answer that is gone at once since nobody may store it', async () => {
    const gate = new Gate()
    let calls = 0
    const mount = (app: Express): void =>
      void app.get('/', async (_req, res) => {
        const call = ++calls
        if (call === 1) await gate.opened
        res.set('Cache-Control', 'max-age=60').send(`answer ${call}`)
      })
    const { get } = await traced(mount, temporaryDirectory(), 300)
    const first = get('/', as('first'))
    await expect.poll(() => calls).toBe(1)
    const others = await Promise.all(Array.from({ length: 20 }, () => get('/', as('other'))))
    // On a busy machine some of them wait for another turn, and ask again.
    expect(new Set(others.map(({ text }) => text)).size).toBeLessThan(others.length)
    gate.open()
    expect((await first).text).toBe('answer 1')
  })

  it('show a purge, and not what it is of', async () => {
    const { get, tree, spans, tracer, cache } = await traced(
      app => void app.get('/', (_req, res) => void res.set('Cache-Control', 'max-age=10').send('text')),
    )
    await get('/', as('request', { host: 'secret' }))
    await expect.poll(() => tree()).toContain('  responseCache.store it')
    await tracer.startActiveSpan('admin', async span => {
      expect(await purge(cache, { url: 'http://secret/' })).toBe(1)
      await expect(purge(cache, { url: 'secret' })).rejects.toThrow('secret')
      span.end()
    })
    expect(tree().slice(3)).toEqual(['admin', '  purge it', '  purge it'])
    expect(JSON.stringify(spans().map(({ attributes }) => attributes))).not.toContain('secret')
  })

  it('show the handler beside them, and not below', async () => {
    const { get, tree, tracer } = await traced(
      app =>
        void app.get('/', (_req, res) => {
          tracer.startActiveSpan('handler', span => {
            res.set('Cache-Control', 'max-age=10').send('text')
            span.end()
          })
        }),
    )
    await get('/', as('request'))
    await expect
      .poll(() => tree())
      .toEqual(['request', '  responseCache.lookup it', '  handler', '  responseCache.store it'])
  })
})

describe('spans of sendFile', () => {
  async function serving(fill: () => unknown, directory = temporaryDirectory()) {
    const traces = requests()
    const cache = new FanoutCache(directory)
    await cache.open()
    onTestFinished(() => cache.close())
    const options = { tracerProvider: traces.tracerProvider, spans: true, name: 'it' }
    onTestFinished(instrument(cache, options).stop)
    const collapseTimeout = PATIENCE_MILLISECONDS
    const handler = sendFile(cache, { key: request => request.url, fill: fill as never, collapseTimeout })
    const { port } = await listen(traces.below(plain(handler)))
    return { ...traces, cache, get: (path: string, who: string) => ask(port, path, as(who)) }
  }

  it('show lookups below their requests, with what was found, and what was stored', async () => {
    const { get, tree, outcomes, cache, spans } = await serving(() => ({ body: Readable.from([LARGE]) }))
    expect((await get('/secret', 'first')).text).toBe(LARGE)
    await expect.poll(() => cache.has('/secret')).toBe(true)
    await expect.poll(() => outcomes('sendFile.store it')).toEqual(['stored'])
    expect((await get('/secret', 'second')).text).toBe(LARGE)
    const steps = tree().filter(name => !name.includes('wait'))
    expect(steps.slice(0, 3)).toEqual(['first', '  sendFile.lookup it', '  sendFile.store it'])
    expect(steps.slice(-2)).toEqual(['second', '  sendFile.lookup it'])
    const found = outcomes('sendFile.lookup it')
    expect([found[0], found.at(-1)]).toEqual(['miss', 'hit'])
    expect(JSON.stringify(spans().map(({ attributes, events }) => [attributes, events]))).not.toContain('secret')
  })

  it('show who waits for the fill of another request', async () => {
    const gate = new Gate()
    const { get, tree, spans } = await serving(() => gate.opened.then(() => 'text'))
    const first = get('/a', 'first')
    await expect.poll(() => tree()).toEqual(['first', '  sendFile.lookup it'])
    const second = get('/a', 'second')
    await expect.poll(() => tree()).toContain('  sendFile.wait it')
    gate.open()
    expect([await first, await second].map(({ text }) => text)).toEqual(['text', 'text'])
    await expect.poll(() => tree()).toContain('  sendFile.store it')
    const named = tree()
    expect(named.indexOf('second')).toBeGreaterThan(named.indexOf('  sendFile.store it'))
    expect(named.slice(named.indexOf('second'))).toEqual(['second', '  sendFile.lookup it', '  sendFile.wait it'])
    expect(spans().every(({ ended }) => ended)).toBe(true)
  })

  it('show who waits for a file that another process fetches', async () => {
    const directory = temporaryDirectory()
    const other = new FixtureProcess(new URL('./fixtures/file-server.mjs', import.meta.url), { directory })
    const port = Number((await other.line('port ')).slice('port '.length))
    const { get, tree } = await serving(() => 'mine', directory)
    const theirs = ask(port, '/a', as('theirs'))
    await other.line('fill')
    const reply = get('/a', 'request')
    await expect.poll(() => tree()).toEqual(['request', '  sendFile.lookup it', '  sendFile.wait it'])
    other.send('go')
    expect((await reply).body.equals((await theirs).body)).toBe(true)
    expect(tree().at(-1)).toBe('  sendFile.lookup it')
  })
})

it('nobody who traces another cache hears of a request', async () => {
  const traces = requests()
  const other = new Cache(temporaryDirectory())
  onTestFinished(() => other.close())
  onTestFinished(instrument(other, { tracerProvider: traces.tracerProvider, spans: true }).stop)
  const { get, cache } = await site(
    app => void app.get('/', (_req, res) => void res.set('Cache-Control', 'max-age=9').send('a')),
  )
  await get('/')
  await settled(cache)
  expect(statusOf(await get('/'))).toContain('hit')
  expect(traces.spans()).toEqual([])
})
