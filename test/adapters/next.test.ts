import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { Cache, DirectoryError, FanoutCache } from 'fanout-cache'
import { nextHandlers } from 'fanout-cache/next'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { openFiles } from '../helpers/open-files.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

/** What is done in these tests was seen with Next.js 15.5 and 16.4. */
const KEY = '/route-cache/APP_PAGE/c38585ba/$/news'
const PAGE_CONTEXT = { kind: 'APP_PAGE', isFallback: false }
const FETCH_CONTEXT = { kind: 'FETCH', revalidate: 60, tags: ['news'], softTags: ['_N_T_/layout', '_N_T_/news'] }

describe('CacheHandler', () => {
  it('keeps pages as they are, with Buffers and Maps, for all processes', async () => {
    const { one, two } = twoProcesses()
    await one.set(KEY, page('first'), { cacheControl: { revalidate: 60, expire: 3600 } })
    expect(await two.get(KEY)).toEqual({
      value: page('first'),
      cacheControl: { revalidate: 60, expire: 3600 },
      lastModified: expect.any(Number),
    })
    await two.set('/gone', null, { cacheControl: { revalidate: 60 } })
    expect(await one.get('/gone')).toMatchObject({ value: null })
    const image = { kind: 'IMAGE', buffer: Buffer.alloc(100_000, 7), etag: 'a', upstreamEtag: 'b', extension: 'png' }
    await one.set('image', image, { cacheControl: { revalidate: 60 } })
    expect(await two.get('image', { kind: 'IMAGE', isFallback: false })).toMatchObject({ value: image })
    expect(await two.get('/other')).toBeNull()
  })

  it('revalidates a tag for all processes at once, that of a path and that of a fetch too', async () => {
    const { one, two } = twoProcesses()
    for (const tags of ['news', ['_N_T_/news'], ['others', '_N_T_/layout']]) {
      await one.set(KEY, page('first'), { cacheControl: { revalidate: false } })
      await one.set('fetched', fetched(1), { fetchCache: true, tags: ['news'] })
      expect(await two.get(KEY)).not.toBeNull()
      expect(await two.get('fetched', FETCH_CONTEXT)).toMatchObject({ value: fetched(1) })
      await two.revalidateTag(tags)
      expect([await one.get(KEY), await two.get(KEY)]).toEqual([null, null])
      expect([await one.get('fetched', FETCH_CONTEXT), await two.get('fetched', FETCH_CONTEXT)]).toEqual([null, null])
    }
  })

  it('does not serve what was being computed while a tag of it was revalidated', async () => {
    const { one, two } = twoProcesses()
    expect(await one.get(KEY, PAGE_CONTEXT, 'request')).toBeNull()
    await two.revalidateTag('news')
    await one.set(KEY, page('before'), { cacheControl: { revalidate: 60 } }, 'request')
    expect([await one.get(KEY), await two.get(KEY, PAGE_CONTEXT, 'next request')]).toEqual([null, null])
    await two.set(KEY, page('after'), { cacheControl: { revalidate: 60 } }, 'next request')
    expect(await one.get(KEY)).toMatchObject({ value: page('after') })
  })

  it('serves what is revalidated with a profile as an old page, until its time is over', async () => {
    const { one, two } = twoProcesses()
    await one.set(KEY, page('first'), { cacheControl: { revalidate: 60 } })
    await one.set('/static', page('first'), { cacheControl: { revalidate: false } })
    await one.set('fetched', fetched(1), { fetchCache: true, tags: ['news'] })
    await one.revalidateTag('news', { expire: 600 })
    const old = [await two.get(KEY), await two.get('fetched', FETCH_CONTEXT)]
    for (const answer of old) expect(answer?.lastModified).toBeLessThan(Date.now() - 60_000)
    // Next.js computes it before it answers.
    expect((await two.get('/static'))?.lastModified).toBe(-1)
    await two.call('advance', { milliseconds: 600_001 })
    expect([await two.get(KEY), await two.get('fetched', FETCH_CONTEXT), await two.get('/static')]).toEqual([
      null,
      null,
      null,
    ])
  })

  it('does not bring back what has expired when its tag becomes stale once more', async () => {
    const { one, two } = twoProcesses()
    await one.set(KEY, page('first'), { cacheControl: { revalidate: 60 } })
    await one.revalidateTag('news')
    await two.revalidateTag('news', { expire: 600 })
    expect(await one.get(KEY)).toBeNull()
    await one.set(KEY, page('second'), { cacheControl: { revalidate: 60 } })
    await two.revalidateTag('news', { expire: 0 })
    await two.revalidateTag('news', { expire: 600 })
    expect(await one.get(KEY)).toBeNull()
  })

  it('tells the age of a page to a process that knows nothing of how long it is fresh', async () => {
    const { one, two } = twoProcesses()
    await one.set(KEY, page('first'), { cacheControl: { revalidate: 3600 } })
    const stored = Date.now()
    await two.call('advance', { milliseconds: 1800_000 })
    expect((await two.get(KEY))?.lastModified).toBeGreaterThan(stored + 1700_000)
    await two.call('advance', { milliseconds: 1800_001 })
    expect((await two.get(KEY))?.lastModified).toBeLessThanOrEqual(stored)
  })

  it('serves no page of another build, and what was fetched to all', async () => {
    const directory = temporaryDirectory()
    const [old, fresh, deployed, building, developing] = [
      new NextProcess(directory, serverDirectory('build-1')),
      new NextProcess(directory, serverDirectory('build-2')),
      // A configuration with a deploymentId has one BUILD_ID for all its builds.
      new NextProcess(directory, serverDirectory('build-2'), { NEXT_DEPLOYMENT_ID: 'next' }),
      new NextProcess(directory, serverDirectory('build-2'), { NEXT_PHASE: 'phase-production-build' }),
      new NextProcess(directory, join(temporaryDirectory(), 'server')),
    ]
    for (const process of [old, deployed, building, developing]) {
      await process.set(KEY, page('first'), { cacheControl: { revalidate: false } })
      await process.set(`fetched by ${process.pid}`, fetched(1), { fetchCache: true, tags: ['news'] })
      expect(await fresh.get(KEY)).toBeNull()
      expect(await fresh.get(`fetched by ${process.pid}`, FETCH_CONTEXT)).not.toBeNull()
    }
    expect([await old.get(KEY), await deployed.get(KEY)]).not.toContain(null)
    expect([await building.get(KEY), await developing.get(KEY)]).toEqual([null, null])
  })

  it('keeps over kill -9 what was stored and what was revalidated', async () => {
    const { directory, one, two } = twoProcesses()
    await two.set(KEY, page('first'), { cacheControl: { revalidate: false } })
    await one.revalidateTag('news')
    const stored: string[] = []
    const storing = (async () => {
      for (let at = 0; ; at++) {
        await one.set(`/${at}`, page(`${at}`, 200_000), { cacheControl: { revalidate: false } })
        stored.push(`/${at}`)
      }
    })().catch(() => {})
    await expect.poll(() => stored.length).toBeGreaterThan(5)
    await one.process.kill()
    await storing
    const three = new NextProcess(directory, serverDirectory('build'))
    for (const process of [two, three]) {
      expect(await process.get(KEY)).toBeNull()
      for (const key of stored) expect(await process.get(key)).toMatchObject({ value: page(key.slice(1), 200_000) })
    }
    await using cache = new FanoutCache(directory)
    expect((await cache.check()).filter(({ kind }) => kind !== 'unknown-file' && kind !== 'empty-directory')).toEqual(
      [],
    )
  })

  it('can be emptied by tag from the outside', async () => {
    const { directory, one } = twoProcesses()
    await one.set(KEY, page('first'), { cacheControl: { revalidate: false } })
    await one.set('fetched', fetched(1), { fetchCache: true, tags: ['news'] })
    await using cache = new FanoutCache(directory)
    expect(await cache.evict('news')).toBe(2)
    expect([await one.get(KEY), await one.get('fetched', FETCH_CONTEXT)]).toEqual([null, null])
  })

  it('answers a miss where the cache cannot be read, and fails to revalidate', async () => {
    const process = new NextProcess(noDirectory(), serverDirectory('build'))
    expect(await process.get(KEY)).toBeNull()
    expect(await process.getEntry('key')).toBeUndefined()
    await process.call('refreshTags')
    await expect(process.revalidateTag('news')).rejects.toThrow('DirectoryError')
  })

  it('asks for the time outside of requests alone', async () => {
    const { one, two } = twoProcesses()
    for (const process of [one, two]) {
      await process.get(KEY)
      await process.set(KEY, page('first'), { cacheControl: { revalidate: 60 } })
      await process.revalidateTag('others')
      await process.get(KEY)
      await process.call('refreshTags')
      await process.setEntry('key', await process.entry('first'))
      await process.call('updateTags', { tags: ['others'], durations: { expire: 60 } })
      await process.getEntry('key')
      expect(await process.call('timesOfRequests')).toBe(0)
    }
  })
})

describe('useCacheHandler', () => {
  it('keeps values for all processes, and gives each reader a stream of its own', async () => {
    const { one, two } = twoProcesses()
    for (const text of ['small', 'large'.repeat(50_000)]) {
      const entry = await one.entry(text)
      await one.setEntry(text, entry)
      const { bytes, ...fields } = entry
      const expected = { ...fields, value: bytes }
      expect([await one.getEntry(text), await two.getEntry(text), await two.getEntry(text)]).toEqual([
        expected,
        expected,
        expected,
      ])
    }
    expect(await two.getEntry('other')).toBeUndefined()
  })

  it('makes readers of the process wait for a value that is being written', async () => {
    const { one } = twoProcesses()
    await one.call('beginEntry', { key: 'key', entry: await one.entry('slow') })
    const read = one.getEntry('key')
    await one.call('endEntry', { key: 'key' })
    expect(await read).toMatchObject({ value: Buffer.from('slow') })
  })

  it('stores nothing of a value that breaks off, nor what is computed for each request', async () => {
    const { one, two } = twoProcesses()
    await one.call('beginEntry', { key: 'broken', entry: await one.entry('half') })
    await one.call('endEntry', { key: 'broken', failure: 'broke off' })
    await one.setEntry('dynamic', { ...(await one.entry('dynamic')), expire: 0 })
    for (const process of [one, two]) {
      expect([await process.getEntry('broken'), await process.getEntry('dynamic')]).toEqual([undefined, undefined])
    }
  })

  it('revalidates tags and paths for all processes at once, and for the other handler', async () => {
    const { one, two } = twoProcesses()
    expect(await one.call('getExpiration', { tags: ['_N_T_/news'] })).toBe(Number.POSITIVE_INFINITY)
    for (const tag of ['news', '_N_T_/news']) {
      await one.call('refreshTags')
      await one.setEntry('key', await one.entry('first'))
      await one.set(KEY, page('first'), { cacheControl: { revalidate: 60 } })
      expect(await two.getEntry('key', ['_N_T_/news'])).toBeDefined()
      await two.call('updateTags', { tags: [tag] })
      expect(await one.getEntry('key', ['_N_T_/news'])).toBeUndefined()
      expect(await one.get(KEY)).toBeNull()
    }
  })

  it('serves what is revalidated with a profile once more, until its time is over', async () => {
    const { one, two } = twoProcesses()
    await one.setEntry('key', await one.entry('first'))
    await one.call('updateTags', { tags: ['news'], durations: { expire: 600 } })
    expect(await two.getEntry('key')).toMatchObject({ value: Buffer.from('first'), revalidate: -1 })
    await two.call('advance', { milliseconds: 600_001 })
    expect(await two.getEntry('key')).toBeUndefined()
  })

  it('does not serve what was being computed while a tag of it was revalidated', async () => {
    const { one, two } = twoProcesses()
    await one.call('refreshTags')
    const begun = await one.entry('before')
    await two.call('updateTags', { tags: ['news'] })
    // Another request of that process has seen it.
    await one.call('refreshTags')
    await one.setEntry('key', begun)
    expect([await one.getEntry('key'), await two.getEntry('key')]).toEqual([undefined, undefined])
    await one.setEntry('key', await one.entry('after'))
    expect(await two.getEntry('key')).toMatchObject({ value: Buffer.from('after') })
  })

  it('keeps over kill -9 what was stored and what was revalidated', async () => {
    const { directory, one } = twoProcesses()
    await one.setEntry('gone', await one.entry('gone'))
    await one.call('updateTags', { tags: ['news'] })
    await one.call('refreshTags')
    await one.setEntry('kept', await one.entry('kept'))
    await one.process.kill()
    const three = new NextProcess(directory, serverDirectory('build'))
    expect(await three.getEntry('gone')).toBeUndefined()
    expect(await three.getEntry('kept')).toMatchObject({ value: Buffer.from('kept') })
  })
})

describe('nextHandlers', () => {
  it('uses a FanoutCache that it is given, and leaves it open', async () => {
    await using cache = new FanoutCache(temporaryDirectory())
    const { CacheHandler, close, ...handlers } = nextHandlers(cache)
    expect(handlers.cache).toBe(cache)
    const handler = new CacheHandler({ serverDistDir: serverDirectory('build') })
    await handler.set(KEY, page('first'), {})
    await close()
    expect(await cache.count()).toBe(1)
  })

  it('closes the cache that it has opened', async () => {
    const directory = temporaryDirectory()
    const { CacheHandler, cache, close } = nextHandlers(directory, { sizeLimit: 2 ** 24 })
    const handler = new CacheHandler({ serverDistDir: serverDirectory('build') })
    await handler.set(KEY, page('first'), {})
    expect((await cache.settings()).sizeLimit).toBe(2 ** 24)
    if (process.platform === 'linux') expect(openFiles(directory, /cache\.db/)).not.toEqual([])
    await close()
    expect(openFiles(directory, /cache\.db/)).toEqual([])
  })

  it('tells onError why a read was answered with a miss', async () => {
    const onError = vi.fn()
    const { CacheHandler, useCacheHandler } = nextHandlers({ directory: noDirectory(), onError })
    const handler = new CacheHandler({ serverDistDir: serverDirectory('build') })
    expect(await handler.get(KEY, PAGE_CONTEXT)).toBeNull()
    expect(await useCacheHandler.get('key', [])).toBeUndefined()
    expect(onError.mock.calls).toEqual([[expect.any(DirectoryError)], [expect.any(DirectoryError)]])
  })

  it('answers further reads of a value where onError has thrown', async () => {
    const onError = (): never => {
      throw new Error('told')
    }
    const { useCacheHandler, close } = nextHandlers(temporaryDirectory(), { onError })
    onTestFinished(close)
    await expect(useCacheHandler.set('key', Promise.reject(new Error('half')))).rejects.toThrow('told')
    expect(await useCacheHandler.get('key', [])).toBeUndefined()
  })

  it('warns once where nobody is told of errors', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    onTestFinished(() => warn.mockRestore())
    const { useCacheHandler } = nextHandlers(noDirectory())
    for (let at = 0; at < 3; at++) expect(await useCacheHandler.get('key', [])).toBeUndefined()
    expect(warn.mock.calls).toEqual([[expect.any(DirectoryError)]])
  })

  it('refuses a Cache, which holds no other', async () => {
    const directory = temporaryDirectory()
    await using cache = new Cache(directory)
    await cache.set('a', 1)
    for (const source of [cache, directory, cache.namespace('next')]) {
      expect(() => nextHandlers(source)).toThrow('nextHandlers needs a FanoutCache')
    }
  })

  it('refuses options that are misspelt or of a wrong type', () => {
    expect(() => nextHandlers(temporaryDirectory(), { onErr: () => {} } as never)).toThrow(/unknown option onErr/)
    expect(() => nextHandlers(temporaryDirectory(), { onError: 'log' as never })).toThrow(
      'onError must be a function, got',
    )
    expect(() => nextHandlers({})).toThrow('say where, with a directory')
  })
})

/** Two processes of one build on one cache. */
function twoProcesses() {
  const directory = temporaryDirectory()
  const server = serverDirectory('build')
  return { directory, one: new NextProcess(directory, server), two: new NextProcess(directory, server) }
}

/** A place at which no cache can be. */
function noDirectory(): string {
  const file = join(temporaryDirectory(), 'file')
  writeFileSync(file, '')
  return file
}

/** What `next build` leaves beside the code of the server. */
function serverDirectory(build: string): string {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, 'server'))
  writeFileSync(join(directory, 'BUILD_ID'), build)
  return join(directory, 'server')
}

/** A page as Next.js stores it. */
function page(text: string, length = 100) {
  return {
    kind: 'APP_PAGE',
    html: `<p>${text}</p>`.padEnd(length),
    rscData: Buffer.from(`0:${text}`),
    headers: { 'x-next-cache-tags': '_N_T_/layout,_N_T_/news/layout,_N_T_/news/page,_N_T_/news,news' },
    postponed: undefined,
    status: 200,
    segmentData: new Map([
      ['/_tree', Buffer.from('tree')],
      ['/_full', Buffer.alloc(length, 1)],
    ]),
  }
}

function fetched(n: number) {
  return { kind: 'FETCH', data: { headers: {}, body: btoa(`${n}`), status: 200, url: '' }, revalidate: 60 }
}

interface UseCacheEntry {
  readonly bytes: Buffer
  readonly tags: readonly string[]
  readonly stale: number
  readonly timestamp: number
  readonly expire: number
  readonly revalidate: number
}

interface Answer {
  readonly value: unknown
  readonly lastModified: number
}

/** A process with the two handlers, and the calls that Next.js makes. */
class NextProcess {
  readonly process: FixtureProcess
  #calls = 0

  constructor(directory: string, serverDistDir: string, env: NodeJS.ProcessEnv = {}) {
    const script = new URL('../helpers/next-process.mjs', import.meta.url)
    const all = { NEXT_CACHE_DIRECTORY: directory, SERVER_DIST_DIR: serverDistDir, ...env }
    this.process = new FixtureProcess(script, {}, all)
  }

  get pid(): number {
    return this.process.pid
  }

  async call(call: string, args: object = {}): Promise<unknown> {
    const id = `${++this.#calls}`
    this.process.send(serialize({ id, call, args }).toString('base64'))
    const line = await this.process.line(`${id} `)
    const { value, error } = deserialize(Buffer.from(line.slice(id.length + 1), 'base64'))
    if (error !== undefined) throw new Error(error)
    return value
  }

  async get(key: string, context: object = PAGE_CONTEXT, name?: string): Promise<Answer | null> {
    return (await this.call('get', { name, key, context })) as Answer | null
  }

  async set(key: string, value: object | null, context: object, name?: string): Promise<void> {
    await this.call('set', { name, key, value, context })
  }

  async revalidateTag(tags: string | readonly string[], durations?: object): Promise<void> {
    await this.call('revalidateTag', { tags, durations })
  }

  /** An entry of `use cache` whose computation begins now. */
  async entry(text: string): Promise<UseCacheEntry> {
    const timestamp = (await this.call('timestamp')) as number
    return { bytes: Buffer.from(text), tags: ['news'], stale: 300, timestamp, expire: 3600, revalidate: 900 }
  }

  async setEntry(key: string, entry: UseCacheEntry): Promise<void> {
    await this.call('setEntry', { key, entry })
  }

  async getEntry(key: string, softTags: readonly string[] = []): Promise<unknown> {
    return await this.call('getEntry', { key, softTags })
  }
}
