import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import express from 'express'
import { type CacheOptions, FanoutCache, TimeoutError } from 'fanout-cache'
import { purge, responseCache } from 'fanout-cache/express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { Gate } from '../helpers/gate.js'
import { PATIENCE_MILLISECONDS } from '../helpers/patience.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { type Asking, ask, listen, type Reply } from '../middleware/support/http.js'
import { cacheOf, KINDS, type Kind, shardsOf } from './support/caches.js'
import { overwriteAll } from './support/damage.js'
import { LockHolder } from './support/lock-holder.js'
import { fillUp, mountTmpfs, tmpfsAvailable } from './support/tmpfs.js'

const SCRIPT = new URL('./fixtures/response-server.mjs', import.meta.url)
const BODY = 'y'.repeat(1000)
/** More than fits on the disks of these tests. */
const CHUNK = 65_536
const LONG = Buffer.alloc(24 * 2 ** 20, 'a long answer, ')

/** A process that serves, and its port. It waits for others as long as they live. */
async function serving(directory: string, more: object = {}): Promise<{ process: FixtureProcess; port: number }> {
  const process = new FixtureProcess(SCRIPT, {
    directory,
    options: { collapseTimeout: PATIENCE_MILLISECONDS },
    ...more,
  })
  const line = await process.line('port')
  return { process, port: Number(line.split(' ')[1]) }
}

const calls = (process: FixtureProcess): number => process.lines.filter(line => line.startsWith('called')).length

function* chunksOf(bytes: Buffer, start: number): Generator<Buffer> {
  for (let at = start; at < bytes.byteLength; at += CHUNK) yield bytes.subarray(at, at + CHUNK)
}

/** An app in this process whose handler counts its calls. */
async function app(kind: Kind, directory: string, options: CacheOptions = {}) {
  const cache = cacheOf(kind, directory, options)
  cache.on('error', () => undefined)
  const state = { calls: 0, rest: new Gate() }
  const site = express()
  site.use(responseCache(cache) as never)
  site.get('/long', async (_req, res) => {
    state.calls++
    res.set({ 'Cache-Control': 'max-age=60', 'Content-Length': String(LONG.byteLength) })
    res.write(LONG.subarray(0, CHUNK))
    await state.rest.opened
    Readable.from(chunksOf(LONG, CHUNK), { objectMode: false }).pipe(res)
  })
  site.get('/validated', (_req, res) => void res.set('Cache-Control', 'max-age=0').send(BODY))
  site.get('/changing', async (_req, res) => {
    state.calls++
    if (state.calls === 2) await state.rest.opened
    res.set({ 'Cache-Control': 'max-age=0', ETag: `"${state.calls}"` }).end(BODY)
  })
  site.use((req, res) => {
    state.calls++
    res.set('Cache-Control', 'max-age=60').send(req.path === '/large' ? BODY.repeat(200) : BODY)
  })
  const { port } = await listen(site)
  const get = (path: string, asking?: Asking): Promise<Reply> => ask(port, path, asking)
  return { cache, state, get }
}

describe('two processes', () => {
  it('call the handler once', async () => {
    const directory = temporaryDirectory()
    const [one, two] = await Promise.all([serving(directory), serving(directory)])
    const host = { headers: { host: 'site' } }
    const first = ask(one.port, '/', host)
    await one.process.line('called')
    const second = ask(two.port, '/', host)
    one.process.send('answer')
    const replies = await Promise.all([first, second])
    expect(replies.map(({ text }) => text)).toEqual(Array(2).fill(`answer of ${one.process.pid}`))
    expect(replies[1].headers['cache-status']).toMatch(/; hit/)
    expect(calls(two.process)).toBe(0)
  })

  it('go on when the one that calls it is killed', async () => {
    const directory = temporaryDirectory()
    const [one, two] = await Promise.all([serving(directory), serving(directory, { atOnce: true })])
    const host = { headers: { host: 'site' } }
    const first = ask(one.port, '/', host).catch(() => 'lost')
    await one.process.line('called')
    const second = ask(two.port, '/', host)
    await one.process.kill()
    expect(await first).toBe('lost')
    expect((await second).text).toBe(`answer of ${two.process.pid}`)
    expect((await ask(two.port, '/', host)).headers['cache-status']).toMatch(/; hit/)
  })

  it('do not wait longer than collapseTimeout', async () => {
    const directory = temporaryDirectory()
    const options = { collapseTimeout: 50 }
    const [one, two] = await Promise.all([serving(directory), serving(directory, { atOnce: true, options })])
    const host = { headers: { host: 'site' } }
    const first = ask(one.port, '/', host)
    await one.process.line('called')
    expect((await ask(two.port, '/', host)).text).toBe(`answer of ${two.process.pid}`)
    one.process.send('answer')
    await first
  })
})

describe.each(KINDS)('a response cache on a %s', kind => {
  it('answers while others hold the lock', async () => {
    const directory = temporaryDirectory()
    const { cache, state, get } = await app(kind, directory)
    await get('/stored')
    await cache.count()
    const holder = await LockHolder.holding(kind, directory)
    for (const path of ['/', '/', '/large']) expect((await get(path)).status).toBe(200)
    expect(state.calls).toBe(4)
    expect((await get('/stored')).headers['cache-status']).toMatch(/; hit/)
    await holder.free()
    await get('/later')
    await expect.poll(async () => (await get('/later')).headers['cache-status']).toMatch(/; hit/)
  })

  it('keeps what is validated while others hold the lock', async () => {
    const directory = temporaryDirectory()
    const { cache, get } = await app(kind, directory)
    await get('/validated')
    await cache.count()
    const holder = await LockHolder.holding(kind, directory)
    const replies = [await get('/validated'), await get('/validated', { method: 'HEAD' }), await get('/validated')]
    await holder.free()
    await cache.count()
    for (const { headers } of [...replies, await get('/validated')]) {
      expect(headers['cache-status']).toMatch(/fwd=stale; fwd-status=304/)
    }
  })

  it.each(['GET', 'HEAD'])('waits for nothing that cannot be stored now: the new answer to a %s', async method => {
    const directory = temporaryDirectory()
    const { cache, state, get } = await app(kind, directory)
    await get('/changing')
    await cache.count()
    const first = get('/changing', { method })
    await expect.poll(() => state.calls).toBe(2)
    const holder = await LockHolder.holding(kind, directory)
    state.rest.open()
    expect((await first).status).toBe(200)
    expect((await get('/changing')).headers['cache-status']).toContain('detail=busy')
    await holder.free()
  })

  it('answers when the database is damaged', async () => {
    const directory = temporaryDirectory()
    const { get } = await app(kind, directory)
    for (const path of ['/a', '/b', '/large']) await get(path)
    for (const shard of shardsOf(kind)) overwriteAll(join(directory, shard, 'cache.db'))
    for (const path of ['/a', '/b', '/large', '/c']) {
      const { status, text } = await get(path)
      expect([status, text.length % BODY.length, text[0]]).toEqual([200, 0, 'y'])
    }
  })
})

describe.skipIf(!tmpfsAvailable).each(KINDS)('a response cache on a %s on a full disk', kind => {
  it('answers, from what is stored as well', async () => {
    const root = mountTmpfs('size=16m')
    // Otherwise what is stored would make room for what is new.
    const { cache, get } = await app(kind, join(root, 'cache'), { evictionPolicy: 'none' })
    await get('/stored')
    await cache.count()
    fillUp(root)
    for (const path of ['/new', '/large', '/new', '/large']) {
      const { status, text, cut } = await get(path)
      expect([status, text.length % BODY.length, cut]).toEqual([200, 0, false])
    }
    expect((await get('/stored')).headers['cache-status']).toMatch(/; hit/)
  })

  it('leaves no lease of an answer for which there was no room', async () => {
    const root = mountTmpfs('size=16m')
    const cache = cacheOf(kind, join(root, 'cache'), { evictionPolicy: 'none' })
    for (let key = 0; key < 20; key += 1) await cache.set(key, key, { retry: true })
    const reserves = shardsOf(kind).map(shard => join(root, 'cache', shard, 'cache.db-reserve'))
    const sizes = (): number[] => reserves.map(path => statSync(path, { throwIfNoEntry: false })?.size ?? 0)
    await expect.poll(() => Math.min(...sizes())).toBeGreaterThan(0)
    const site = express()
    site.use(responseCache(cache) as never)
    site.use((_req, res) => {
      fillUp(root)
      res.set('Cache-Control', 'max-age=60').send(BODY.repeat(20))
    })
    const { port } = await listen(site)
    expect((await ask(port, '/')).text).toHaveLength(20 * BODY.length)
    const databases = shardsOf(kind).map(shard => rawDatabase(join(root, 'cache', shard)))
    const tables = databases.map(db => db.prepare("SELECT name FROM sqlite_master WHERE name = 'Lease'").all())
    const having = databases.filter((_db, at) => tables[at]?.length === 1)
    expect(having).toHaveLength(1)
    await expect.poll(() => having[0]?.prepare('SELECT name FROM Lease').all()).toEqual([])
  })

  it('gives all of a long answer to those who have joined it when the disk gets full', async () => {
    const root = mountTmpfs('size=16m')
    const { get, state } = await app(kind, join(root, 'cache'))
    const begun = new Gate()
    const first = get('/long', { onBytes: () => begun.open() })
    await begun.opened
    const joined = Array.from({ length: 3 }, () => {
      const gate = new Gate()
      return { gate, reply: get('/long', { onBytes: () => gate.open() }) }
    })
    await Promise.all(joined.map(({ gate }) => gate.opened))
    state.rest.open()
    const replies = await Promise.all([first, ...joined.map(({ reply }) => reply)])
    expect(replies.map(({ body, cut }) => [body.equals(LONG), cut])).toEqual(Array(4).fill([true, false]))
    expect(state.calls).toBe(1)
    // The disk was full in between, and what was there of the answer is gone.
    await expect.poll(async () => (await get('/later')).headers['cache-status']).toMatch(/stored|hit/)
  })
})

describe('a purge by tag while others write', () => {
  /** A FanoutCache of one shard that somebody locks as soon as the purge has left its stamp. */
  async function locked(directory: string) {
    const cache = new FanoutCache(directory, { shards: 1 })
    onTestFinished(() => cache.close())
    await cache.set('answer', 1, { tag: 'news' })
    const db = rawDatabase(join(directory, '000'))
    const take = (): void => {
      unsubscribe('fanout-cache:commit', take)
      db.exec('BEGIN IMMEDIATE')
    }
    subscribe('fanout-cache:commit', take)
    return { cache, db }
  }

  it('waits for the lock longer than other verbs of a FanoutCache, and leaves nothing', async () => {
    const { cache, db } = await locked(temporaryDirectory())
    const purging = purge(cache, { tag: 'news' })
    await expect.poll(() => db.inTransaction).toBe(true)
    await delay(100)
    db.exec('COMMIT')
    expect([await purging, await cache.count()]).toEqual([1, 0])
  })

  it('rejects when the lock is not free in time, since something is left', async () => {
    const { cache } = await locked(temporaryDirectory())
    await expect(purge(cache, { tag: 'news' })).rejects.toThrow(TimeoutError)
    expect(await cache.count()).toBe(1)
  })
})
