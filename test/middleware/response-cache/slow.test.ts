import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { statSync, truncateSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import compression from 'compression'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Gate } from '../../helpers/gate.js'
import { openFiles } from '../../helpers/open-files.js'
import { type Site, type SiteOptions, settled, site } from './support/app.js'
import { chunksOf, digest } from './support/bodies.js'

const CHUNK = 65_536
/** More than what fits into the buffers of a connection. */
const CHUNKS = 240

/** More than what joined requests may be behind in what is not stored. */
const LONG_CHUNK = Buffer.alloc(2 ** 20, 'long')
const LONG_CHUNKS = 128

const chunks = (): Generator<Buffer> => chunksOf(CHUNKS, CHUNK)
const WHOLE = digest(chunks())
const NOISE = Array.from({ length: CHUNKS }, () => randomBytes(CHUNK))
const NOISE_DIGEST = digest(NOISE)

/** A site with one long answer, which a client has asked for that does not read it. */
async function withIdleClient(
  options: SiteOptions = {},
  length = true,
): Promise<{ made: Site; idle: Socket; calls: () => number }> {
  let calls = 0
  const made = await site(
    app =>
      void app.get('/', (_req, res) => {
        calls++
        res.set('Cache-Control', 'max-age=60').type('bin')
        if (length) res.set('Content-Length', String(CHUNKS * CHUNK))
        Readable.from(chunks(), { objectMode: false }).pipe(res)
      }),
    options,
  )
  return { made, idle: await idleClient(made.port), calls: () => calls }
}

/** A client that asks and does not read. */
async function idleClient(port: number, fields = ''): Promise<Socket> {
  const idle = connect(port, '127.0.0.1').on('error', () => undefined)
  onTestFinished(() => void idle.destroy())
  idle.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${fields}Connection: close\r\n\r\n`)
  await once(idle, 'readable')
  return idle
}

/** The same of what does not become shorter, compressed above the cache or below. */
async function withCompressedIdleClient(
  where: 'above' | 'below',
): Promise<Pick<Site, 'get'> & { idle: Socket; calls: () => number }> {
  let calls = 0
  const compress = compression({ level: 1 })
  const made = await site(
    app => {
      if (where === 'below') app.use(compress)
      app.get('/', (_req, res) => {
        calls++
        res.set('Cache-Control', 'max-age=60').type('text')
        Readable.from(NOISE, { objectMode: false }).pipe(res)
      })
    },
    { above: app => void (where === 'above' && app.use(compress)) },
  )
  return { get: made.get, idle: await idleClient(made.port, 'Accept-Encoding: gzip\r\n'), calls: () => calls }
}

/** The body of what an idle client reads after all, in one piece or in chunks. */
async function rest(idle: Socket): Promise<Buffer> {
  const all = Buffer.concat(await idle.toArray())
  const start = all.indexOf('\r\n\r\n') + 4
  if (!all.subarray(0, start).toString().includes('chunked')) return all.subarray(start)
  const parts: Buffer[] = []
  for (let at = start; ; ) {
    const end = all.indexOf('\r\n', at)
    const size = Number.parseInt(all.toString('latin1', at, end), 16)
    if (!(size > 0)) return Buffer.concat(parts)
    parts.push(all.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

describe('a client that does not read a long answer', () => {
  it.each([true, false])('holds up nobody else, and gets all of it when it does (with a length: %s)', async length => {
    const { made, idle, calls } = await withIdleClient({}, length)
    const others = await Promise.all([made.get('/'), made.get('/')])
    expect(others.map(({ body, cut }) => [digest(body), cut])).toEqual(Array(2).fill([WHOLE, false]))
    await expect.poll(() => made.status('/')).toMatch(/^hit/)
    expect(digest(await rest(idle))).toBe(WHOLE)
    expect(calls()).toBe(1)
  })

  it.each(['above', 'below'] as const)(
    'holds up nobody else when middleware %s compresses what it gets',
    async where => {
      const { get, idle, calls } = await withCompressedIdleClient(where)
      const gzip = { headers: { 'Accept-Encoding': 'gzip' } }
      const others = await Promise.all([get('/', gzip), get('/', gzip)])
      expect(others.map(({ body, cut }) => [digest(gunzipSync(body)), cut])).toEqual(
        Array(2).fill([NOISE_DIGEST, false]),
      )
      const all = Buffer.concat(await idle.toArray())
      expect([all.toString('latin1').endsWith('\r\n0\r\n\r\n'), calls()]).toEqual([true, 1])
    },
  )

  it('leaves the answer to others when it goes away after the handler has ended', async () => {
    const { made, idle, calls } = await withIdleClient()
    await made.get('/')
    idle.destroy()
    await settled(made.cache)
    const hit = await made.get('/')
    expect([digest(hit.body), calls()]).toEqual([WHOLE, 1])
  })

  it('gets all of what turns out too long to be stored', async () => {
    const { made, idle } = await withIdleClient({ options: { maxEntrySize: 140 * CHUNK } }, false)
    // The handler goes on without its client, and nothing is kept at last.
    const other = await made.get('/')
    expect([digest(other.body), other.cut]).toEqual([WHOLE, false])
    expect(digest(await rest(idle))).toBe(WHOLE)
    await settled(made.cache)
    expect(await made.cache.count()).toBe(0)
  })

  it('holds up the handler when nothing is kept for others', async () => {
    let pulled = 0
    const body = function* (): Generator<Buffer> {
      for (; pulled < LONG_CHUNKS; pulled++) yield LONG_CHUNK
    }
    const made = await site(
      app =>
        void app.get('/', (_req, res) => {
          res.set('Cache-Control', 'max-age=60').type('bin')
          Readable.from(body(), { objectMode: false }).pipe(res)
        }),
      { options: { maxEntrySize: 8 * LONG_CHUNK.byteLength } },
    )
    const idle = await idleClient(made.port)
    // Long enough for all of the body, if nothing held it up.
    for (let before = -1; before !== pulled || pulled === 0; await delay(500)) before = pulled
    expect(pulled).toBeLessThan(LONG_CHUNKS / 2)
    expect(digest(await rest(idle))).toBe(digest(Array(LONG_CHUNKS).fill(LONG_CHUNK)))
  })

  it('lets nobody wait for ever who has joined what is not stored', async () => {
    const made = await site(
      app =>
        void app.get('/', (_req, res) => {
          res.set('Cache-Control', 'max-age=60').type('bin')
          Readable.from(Array(LONG_CHUNKS).fill(LONG_CHUNK), { objectMode: false }).pipe(res)
        }),
      // So that the other one joins before it is too long.
      { options: { maxEntrySize: 24 * LONG_CHUNK.byteLength } },
    )
    await idleClient(made.port)
    const other = await made.get('/')
    expect(other.cut).toBe(true)
  })

  it('leaves no file open when it goes away', async () => {
    const { made, idle } = await withIdleClient()
    await made.get('/')
    idle.destroy()
    await expect.poll(() => openFiles(made.cache.directory)).toEqual([])
  })

  it.runIf(process.platform === 'linux')(
    'leaves no file open when it goes away while its answer is looked for',
    async () => {
      let hastens = false
      const made = await site(
        app =>
          void app.get('/', (_req, res) => void res.set({ 'Cache-Control': 'max-age=1', ETag: '"1"' }).end(LONG_CHUNK)),
        {
          above: app =>
            app.use((_req, res, next) => {
              next()
              if (hastens) res.destroy()
            }),
        },
      )
      await made.get('/')
      await settled(made.cache)
      made.clock.advance(5000)
      hastens = true
      await expect(made.get('/')).rejects.toThrow('socket hang up')
      // It has been opened by then.
      await settled(made.cache)
      await expect.poll(() => openFiles(made.cache.directory)).toEqual([])
    },
  )

  it.runIf(process.platform === 'linux')(
    'does not take a part of it for the whole when its file is cut short',
    async () => {
      const ending = new Gate()
      const made = await site(
        app =>
          void app.get('/', async (_req, res) => {
            res.set('Cache-Control', 'max-age=60').type('bin')
            const body = async function* (): AsyncGenerator<Buffer> {
              yield* chunks()
              await ending.opened
            }
            Readable.from(body(), { objectMode: false }).pipe(res)
          }),
      )
      const idle = await idleClient(made.port)
      const sizes = (): number[] => openFiles(made.cache.directory).map(path => statSync(path).size)
      await expect.poll(sizes).toEqual([CHUNKS * CHUNK])
      for (const path of openFiles(made.cache.directory)) truncateSync(path)
      ending.open()
      const got = Buffer.concat(await idle.toArray())
      expect([got.byteLength < CHUNKS * CHUNK, got.toString('latin1').endsWith('\r\n0\r\n\r\n')]).toEqual([true, false])
    },
  )
})
