import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cache, type DiskCache, FanoutCache } from 'fanout-cache'
import { purge, type SendFileOptions, sendFile } from 'fanout-cache/express'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { Gate, nextTurn } from '../helpers/gate.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { APPS, plain } from './support/apps.js'
import { ask, listen, type Reply } from './support/http.js'

type Fill = NonNullable<SendFileOptions['fill']>

const TEXT = 'abcdefghijklmnopqrstuvwxyz'
const TAG = `"${createHash('sha256').update(TEXT).digest('base64url').slice(0, 22)}"`

async function serve(cache: DiskCache, fill: Fill, options: Partial<SendFileOptions> = {}, app = plain) {
  onTestFinished(() => cache.close())
  let fills = 0
  const counted: Fill = request => {
    fills++
    return fill(request)
  }
  const handler = sendFile(cache, { key: request => request.url?.slice(1), fill: counted, ...options })
  const { port } = await listen(app(handler))
  return { port, fills: () => fills }
}

/** A source of two halves, of which the second comes when it may. */
function halves(first: Buffer | string, second: Buffer | string | Error) {
  const begun = new Gate()
  const gate = new Gate()
  const make = (): Readable =>
    Readable.from(
      (async function* () {
        yield Buffer.from(first)
        begun.open()
        await gate.opened
        if (second instanceof Error) throw second
        yield Buffer.from(second)
      })(),
    )
  return { make, begun: begun.opened, release: () => gate.open() }
}

const newCache = (): FanoutCache => new FanoutCache(temporaryDirectory())
/** Names in a directory of what has no place in the cache. */
const leftovers = (cache: DiskCache): string[] =>
  readdirSync(cache.directory, { recursive: true, encoding: 'utf8' }).filter(name => name.includes('cache.db-tmp-'))

async function untilStored(cache: DiskCache, key: string): Promise<void> {
  await expect.poll(() => cache.has(key)).toBe(true)
}

describe.each(APPS)('fill under %s', (_name, app) => {
  it('fetches a file once and keeps it', async () => {
    const cache = newCache()
    const fill = (): object => ({
      body: Readable.from([TEXT]),
      type: 'text/x',
      tags: ['t'],
      ttl: '1h',
      lastModified: 0,
    })
    const { port, fills } = await serve(cache, fill as Fill, { tags: ['all'], disposition: 'inline' }, app)
    const first = await ask(port, '/a.txt')
    expect(first).toMatchObject({ status: 200, text: TEXT })
    expect(first.headers).toMatchObject({
      'content-type': 'text/x',
      'cache-status': expect.stringMatching(/^fanout-cache; fwd=uri-miss; .*stored; detail=(fill|stream)$/),
      'last-modified': 'Thu, 01 Jan 1970 00:00:00 GMT',
      'content-disposition': 'inline; filename=a.txt',
    })
    await untilStored(cache, 'a.txt')
    const second = await ask(port, '/a.txt')
    expect(second).toMatchObject({ status: 200, text: TEXT, headers: { etag: TAG, 'content-type': 'text/x' } })
    expect(second.headers['cache-status']).toMatch(/^fanout-cache; hit; ttl=3\d\d\d; detail=stream$/)
    expect(fills()).toBe(1)
    expect((await cache.info('a.txt'))?.tags).toEqual(['all', 't'])
  })

  it('answers nothing where there is nothing', async () => {
    const { port, fills } = await serve(newCache(), () => undefined, {}, app)
    expect(await ask(port, '/a')).toMatchObject({ status: 404, text: 'next' })
    expect(await ask(port, '/a')).toMatchObject({ status: 404, text: 'next' })
    expect(fills()).toBe(2)
  })

  it.each<[what: string, none: () => undefined]>([
    ['there was none', () => undefined],
    [
      'it could not be fetched',
      () => {
        throw new Error('no file')
      },
    ],
  ])('stores a file also when %s when it was asked for before', async (_what, none) => {
    let isThere = false
    const { port } = await serve(newCache(), () => (isThere ? TEXT : none()), {}, app)
    await ask(port, '/a')
    isThere = true
    const { text, headers } = await ask(port, '/a')
    expect([text, headers['cache-status']]).toEqual([TEXT, expect.stringContaining('; stored')])
  })

  it('hands on an error, and keeps nothing of it', async () => {
    const fail = (): never => {
      throw new Error('no file')
    }
    const { port, fills } = await serve(newCache(), fail, {}, app)
    expect(await ask(port, '/a')).toMatchObject({ status: 500, text: 'error: no file' })
    expect((await ask(port, '/a')).status).toBe(500)
    expect(fills()).toBe(2)
  })

  it('hands on the error of a source that fails before its first byte', async () => {
    const cache = newCache()
    const fail = (): Readable =>
      new Readable({
        read() {
          this.destroy(new Error('no byte'))
        },
      })
    const { port } = await serve(cache, fail, {}, app)
    expect(await ask(port, '/a')).toMatchObject({ status: 500, text: 'error: no byte' })
    expect(await cache.has('a')).toBe(false)
    await expect.poll(() => leftovers(cache)).toEqual([])
  })
})

/** A fill that has sent the first half of its old content; another one would have new content at once. */
async function fillUnderWay() {
  const cache = newCache()
  const first = halves('old ', 'content')
  let calls = 0
  const fill = (): object => ({ body: ++calls === 1 ? first.make() : Readable.from(['new']), tags: ['t'] })
  const { port } = await serve(cache, fill as Fill, { collapseTimeout: '1h', lease: '1h' })
  const before = ask(port, '/a')
  await first.begun
  return { cache, first, port, before }
}

describe('fill', () => {
  it.each<[string, () => unknown]>([
    ['bytes', () => Buffer.from(TEXT)],
    ['text', () => TEXT],
    ['a promise of a stream', async () => Readable.from([TEXT.slice(0, 9), Buffer.from(TEXT.slice(9))])],
    ['a web stream', () => new Blob([TEXT]).stream()],
    ['a Blob', () => new Blob([TEXT])],
    ['bytes with a description', () => ({ body: new Uint8Array(Buffer.from(TEXT)) })],
    ['a response of fetch', () => ({ body: new Response(TEXT).body })],
  ])('takes %s', async (_what, fill) => {
    const cache = newCache()
    const { port } = await serve(cache, fill as Fill)
    expect(await ask(port, '/a')).toMatchObject({ status: 200, text: TEXT })
    await untilStored(cache, 'a')
    expect(await ask(port, '/a')).toMatchObject({ status: 200, text: TEXT, headers: { etag: TAG } })
    expect(await cache.check()).toEqual([])
  })

  it.each<[unknown, RegExp]>([
    [7, /fill must return bytes, text or a stream, got 7/],
    [null, /got null/],
    [{ content: 'a' }, /fill must return bytes, text, a stream or \{ body \}/],
    [{ body: 'a', typ: 'b' }, /unknown option typ; did you mean type\?/],
    [{ body: 'a', type: 'b\n' }, /type of what fill answers/],
    [{ body: 'a', size: -1 }, /size of what fill answers/],
    [{ body: 'a', ttl: 'x' }, /ttl of what fill answers/],
    [{ body: 'a', tags: [1] }, /tags of what fill answers/],
    [{ body: 'a', lastModified: 'now' }, /lastModified of what fill answers/],
    [{ body: 'a', disposition: 'x' }, /disposition must be/],
    [() => Readable.from([{ a: 1 }, { b: 2 }]), /a stream must be of bytes or text/],
  ])('refuses %o', async (answer, message) => {
    const cache = newCache()
    const { port } = await serve(cache, () => (typeof answer === 'function' ? answer() : answer))
    const reply = await ask(port, '/a')
    expect(reply.status).toBe(500)
    expect(reply.text).toMatch(message)
    expect(await cache.has('a')).toBe(false)
  })

  it.each<[what: string, body: (canceled: () => void) => unknown]>([
    ['stream', canceled => new Readable({ read: () => undefined }).on('close', canceled)],
    ['web stream', canceled => new ReadableStream({ cancel: canceled })],
  ])('ends the %s of what it refuses', async (_what, make) => {
    const canceled = new Gate()
    const { port } = await serve(newCache(), () => ({ body: make(canceled.open), typ: 'b' }) as never)
    expect((await ask(port, '/a')).status).toBe(500)
    await canceled.opened
  })

  it('sends a file to all who ask while it arrives, and fetches it once', async () => {
    const cache = newCache()
    const { make, begun, release } = halves(Buffer.alloc(600_000, 'a'), Buffer.alloc(600_000, 'b'))
    const { port, fills } = await serve(cache, make)
    const received = new Gate()
    const early = ask(port, '/a', { onBytes: () => received.open() })
    await Promise.all([begun, received.opened])
    const late = Array.from({ length: 20 }, () => ask(port, '/a'))
    const head = await ask(port, '/a', { method: 'HEAD' })
    expect(head).toMatchObject({ status: 200, text: '' })
    expect(await cache.has('a')).toBe(false)
    release()
    const replies = await Promise.all([early, ...late])
    const whole = 'a'.repeat(600_000) + 'b'.repeat(600_000)
    expect(replies.every(({ text, cut }) => text === whole && !cut)).toBe(true)
    expect(replies.at(-1)?.headers['cache-status']).toBe('fanout-cache; fwd=uri-miss; stored; collapsed; detail=fill')
    expect(fills()).toBe(1)
    await untilStored(cache, 'a')
    expect((await cache.info('a'))?.size).toBe(1_200_000)
  })

  it('goes on when who asked for it goes away', async () => {
    const cache = newCache()
    const { make, begun, release } = halves('ab', 'cd')
    const { port, fills } = await serve(cache, make)
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\n'))
    const gone = new Promise(resolve => socket.once('close', resolve))
    await Promise.all([begun, new Promise(resolve => socket.once('data', resolve))])
    const other = ask(port, '/a')
    socket.destroy()
    await gone
    release()
    expect(await other).toMatchObject({ status: 200, text: 'abcd' })
    await untilStored(cache, 'a')
    expect(fills()).toBe(1)
  })

  it('cuts off who reads a source that fails half-way, and keeps nothing', async () => {
    const cache = newCache()
    const { make, release } = halves('ab', new Error('broken'))
    const { port } = await serve(cache, make)
    const replies = [0, 1].map(() => ask(port, '/a', { onBytes: release }))
    for (const reply of await Promise.all(replies)) expect(reply).toMatchObject({ status: 200, text: 'ab', cut: true })
    expect(await cache.has('a')).toBe(false)
    await expect.poll(() => leftovers(cache)).toEqual([])
  })

  it.each([
    ['more', 3],
    ['less', 5],
  ])('cuts off who reads %s than was promised, and keeps nothing', async (_what, size) => {
    const cache = newCache()
    const { make, release } = halves('ab', 'cd')
    const { port } = await serve(cache, () => ({ body: make(), size }))
    const reply = await ask(port, '/a', { onBytes: release })
    expect(reply).toMatchObject({ status: 200, cut: true, headers: { 'content-length': String(size) } })
    expect(await cache.has('a')).toBe(false)
  })

  it.each([
    ['stored', 2 ** 30],
    ['too large to be stored', 2 ** 20],
  ])('cuts off who has read all that was promised when more comes after it: %s', async (_what, sizeLimit) => {
    const first = Buffer.alloc(3_000_000, 'first')
    const { make, begun, release } = halves(first, 'more')
    const cache = new Cache(temporaryDirectory(), { sizeLimit })
    cache.on('error', () => undefined)
    const { port } = await serve(cache, () => ({ body: make(), size: first.byteLength }))
    const replies = [ask(port, '/a'), ask(port, '/a', { headers: { Range: 'bytes=0-9' } })]
    await begun
    expect((await replies[1])?.text).toBe('firstfirst')
    release()
    expect((await replies[0])?.cut).toBe(true)
    await expect.poll(() => leftovers(cache)).toEqual([])
    expect(await cache.has('a')).toBe(false)
  })

  it('sends ranges of a file that is arriving, where its size is known', async () => {
    const { make, begun, release } = halves('abcd', 'efgh')
    const { port } = await serve(newCache(), () => ({ body: make(), size: 8 }))
    const whole = ask(port, '/a')
    await begun
    const range = (value: string): Promise<Reply> => ask(port, '/a', { headers: { Range: value } })
    expect(await range('bytes=1-2')).toMatchObject({
      status: 206,
      text: 'bc',
      headers: { 'content-range': 'bytes 1-2/8' },
    })
    expect(await range('bytes=9-')).toMatchObject({ status: 416 })
    expect(await ask(port, '/a', { method: 'HEAD' })).toMatchObject({ headers: { 'content-length': '8' } })
    const end = range('bytes=-3')
    const begins = new Gate()
    const several = ask(port, '/a', { headers: { Range: 'bytes=0-0,7-7' }, onBytes: () => begins.open() })
    await begins.opened
    release()
    expect(await end).toMatchObject({ status: 206, text: 'fgh' })
    // They would be read in an order of their own: a server may always answer with all of it.
    expect(await several).toMatchObject({ status: 200, text: 'abcdefgh' })
    expect(await whole).toMatchObject({ text: 'abcdefgh' })
  })

  it('waits for the end where the answer depends on it', async () => {
    const { make, begun, release } = halves(TEXT.slice(0, 3), TEXT.slice(3))
    const { port, fills } = await serve(newCache(), make)
    const conditions = [{ 'If-None-Match': TAG }, { 'If-Match': '"x"' }, { 'If-Match': TAG }]
    const first = ask(port, '/a')
    await begun
    const asked = [{ Range: 'bytes=-2' }, ...conditions].map(headers => ask(port, '/a', { headers }))
    // None has its answer before the end, however long that takes.
    await Promise.race([...asked, sleep(50)])
    release()
    expect((await Promise.all([first, ...asked])).map(({ status, text }) => [status, text])).toEqual([
      [200, TEXT],
      [206, 'yz'],
      [304, ''],
      [412, ''],
      [200, TEXT],
    ])
    expect(fills()).toBe(1)
  })

  it('waits for no end that is too far away', async () => {
    const { make, begun, release } = halves(TEXT.slice(0, 3), TEXT.slice(3))
    const { port } = await serve(newCache(), make, { collapseTimeout: 10 })
    const range = ask(port, '/a', { headers: { Range: 'bytes=1-2' }, onBytes: release })
    await begun
    expect(await range).toMatchObject({ status: 200, text: TEXT })
  })

  it.each([Number.POSITIVE_INFINITY, '100d'])(
    'waits for the end as long as it takes with %s',
    async collapseTimeout => {
      const timers = vi.spyOn(globalThis, 'setTimeout')
      onTestFinished(() => timers.mockRestore())
      const { make, begun, release } = halves(TEXT.slice(0, 3), TEXT.slice(3))
      const { port } = await serve(newCache(), make, { collapseTimeout })
      const range = ask(port, '/a', { headers: { Range: 'bytes=1-2' }, onBytes: release })
      await begun
      await ask(port, '/a', { method: 'HEAD' })
      release()
      expect(await range).toMatchObject({ status: 206, text: 'bc' })
      // A longer timer fires at once.
      expect(timers.mock.calls.filter(([, time = 0]) => time >= 2 ** 31)).toEqual([])
    },
  )

  it('answers at once who has what was not changed', async () => {
    const { make, begun, release } = halves('ab', 'cd')
    const { port } = await serve(newCache(), () => ({ body: make(), lastModified: new Date(0) }))
    const whole = ask(port, '/a')
    await begun
    const headers = { 'If-Modified-Since': 'Thu, 01 Jan 1970 00:00:00 GMT' }
    expect(await ask(port, '/a', { headers })).toMatchObject({ status: 304 })
    release()
    await whole
  })

  it('keeps nothing that was deleted while it arrived', async () => {
    const cache = newCache()
    const { make, begun, release } = halves('ab', 'cd')
    const { port } = await serve(cache, make)
    const reply = ask(port, '/a')
    await begun
    await cache.delete('a')
    release()
    expect(await reply).toMatchObject({ text: 'abcd' })
    await expect.poll(() => leftovers(cache)).toEqual([])
    expect(await cache.has('a')).toBe(false)
  })

  it.each<[how: string, remove: (cache: DiskCache) => Promise<unknown>]>([
    ['deleted', cache => cache.delete('a')],
    ['purged by its tag', cache => purge(cache, { tag: 't' })],
  ])('gives nobody what was %s before he asked', async (_how, remove) => {
    const { cache, first, port, before } = await fillUnderWay()
    await remove(cache)
    expect((await ask(port, '/a')).text).toBe('new')
    first.release()
    expect((await before).text).toBe('old content')
    expect((await ask(port, '/a')).text).toBe('new')
  })

  it('fetches and keeps what was purged while it arrived when somebody asks again', async () => {
    const { cache, first, port, before } = await fillUnderWay()
    await purge(cache, { tag: 't' })
    first.release()
    expect((await before).text).toBe('old content')
    await expect.poll(() => leftovers(cache)).toEqual([])
    expect((await ask(port, '/a')).text).toBe('new')
    await untilStored(cache, 'a')
  })

  it('does not replace what was stored while it arrived', async () => {
    const cache = newCache()
    const { make, begun, release } = halves('ab', 'cd')
    const { port } = await serve(cache, make)
    const reply = ask(port, '/a')
    await begun
    await cache.set('a', 'newer')
    release()
    expect(await reply).toMatchObject({ text: 'abcd' })
    await expect.poll(() => leftovers(cache)).toEqual([])
    expect(await cache.get('a')).toBe('newer')
  })

  it('hands a file through that is too large for the cache, to all who ask', async () => {
    const cache = new Cache(temporaryDirectory(), { sizeLimit: 2 ** 20 })
    const content = Buffer.alloc(20 * 2 ** 20, TEXT)
    const pieces = function* (): Generator<Buffer> {
      for (let at = 0; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536)
    }
    const { port, fills } = await serve(cache, () => Readable.from(pieces()))
    const replies = await Promise.all([ask(port, '/a'), ask(port, '/a'), ask(port, '/a', { method: 'HEAD' })])
    expect(replies.slice(0, 2).every(({ body, cut }) => body.equals(content) && !cut)).toBe(true)
    expect(fills()).toBe(1)
    expect(await cache.has('a')).toBe(false)
    await expect.poll(() => leftovers(cache)).toEqual([])
  })

  it('ends a source that cannot be kept when all who read it have gone', async () => {
    const cache = new Cache(temporaryDirectory(), { sizeLimit: 2 ** 20 })
    const source = new Readable({ read: () => void source.push(Buffer.alloc(65_536)) })
    const ended = new Promise(resolve => source.once('close', resolve))
    const { port } = await serve(cache, () => source)
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /a HTTP/1.1\r\nHost: a\r\n\r\n'))
    await new Promise(resolve => socket.once('data', resolve))
    socket.destroy()
    await ended
    expect(await cache.has('a')).toBe(false)
    await expect.poll(() => leftovers(cache)).toEqual([])
  })

  it('fetches anew what has expired, and does not keep what would be expired at once', async () => {
    const clock = new ManualClock()
    const cache = new Cache(temporaryDirectory(), { clock })
    const { port, fills } = await serve(cache, request => ({ body: TEXT, ttl: request.url === '/b' ? 0 : '1m' }))
    await ask(port, '/a')
    await untilStored(cache, 'a')
    await ask(port, '/a')
    expect(fills()).toBe(1)
    clock.advance(60_000)
    expect(await ask(port, '/a')).toMatchObject({ text: TEXT })
    expect(fills()).toBe(2)
    expect(await ask(port, '/b')).toMatchObject({
      headers: { 'cache-status': 'fanout-cache; fwd=uri-miss; detail=fill' },
    })
    await nextTurn()
    expect(await cache.count()).toBe(1)
  })

  it('keeps nothing in a cache that is read-only', async () => {
    const directory = temporaryDirectory()
    const writable = new Cache(directory)
    await writable.set('b', 'stored')
    await writable.close()
    const { port } = await serve(new Cache(directory, { readonly: true }), () => Readable.from([TEXT]))
    expect(await ask(port, '/a')).toMatchObject({ text: TEXT })
    expect(await ask(port, '/b')).toMatchObject({ text: 'stored' })
  })

  it('goes on when the cache is closed meanwhile', async () => {
    const cache = newCache()
    const { make, begun, release } = halves('ab', 'cd')
    const { port } = await serve(cache, make)
    const reply = ask(port, '/a')
    await begun
    await cache.close()
    release()
    expect(await reply).toMatchObject({ text: 'abcd' })
    await expect.poll(() => leftovers(cache)).toEqual([])
  })

  it('has one process fetch a file for all', async () => {
    const args = { directory: temporaryDirectory(), options: { lease: '30s', collapseTimeout: '30s' } }
    const [one, two] = [0, 1].map(
      () => new FixtureProcess(new URL('./fixtures/file-server.mjs', import.meta.url), args),
    )
    if (!one || !two) throw new Error('no processes')
    const ports = (await Promise.all([one.line('port'), two.line('port')])).map(line => Number(line.split(' ')[1]))
    const first = ask(ports[0] ?? 0, '/a')
    await one.line('fill')
    const second = ask(ports[1] ?? 0, '/a')
    one.send('go')
    const replies = await Promise.all([first, second])
    expect(replies.map(({ body }) => body.byteLength)).toEqual([200_000, 200_000])
    expect(replies[1]?.headers['cache-status']).toMatch(/hit|fwd=uri-miss; collapsed; detail=stream/)
    expect(two.lines.filter(line => line.startsWith('fill'))).toEqual([])
  })

  it('takes over from a process that was killed', async () => {
    const args = { directory: temporaryDirectory(), options: { lease: 300 } }
    const [one, two] = [0, 1].map(
      () => new FixtureProcess(new URL('./fixtures/file-server.mjs', import.meta.url), args),
    )
    if (!one || !two) throw new Error('no processes')
    const ports = (await Promise.all([one.line('port'), two.line('port')])).map(line => Number(line.split(' ')[1]))
    const first = ask(ports[0] ?? 0, '/a').catch(() => undefined)
    await one.line('fill')
    await one.kill()
    two.send('go')
    const second = await ask(ports[1] ?? 0, '/a')
    expect(second).toMatchObject({ status: 200, cut: false })
    expect(second.body.byteLength).toBe(200_000)
    await first
  })
})
