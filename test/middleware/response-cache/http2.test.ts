import { once } from 'node:events'
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import {
  type ClientHttp2Session,
  connect,
  createSecureServer,
  createServer,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { duplexPair } from 'node:stream'
import { FanoutCache } from 'fanout-cache'
import { responseCache, sendFile } from 'fanout-cache/express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { holdThreads } from '../../helpers/held-threads.js'
import { ManualClock } from '../../helpers/manual-clock.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { settled } from './support/app.js'

const LARGE = 'x'.repeat(300_000)
const LONG = 100 * LARGE.length
const PART = 'y'.repeat(65_536)
const PARTS = 256

interface Reply {
  readonly status: unknown
  readonly text: string
  readonly said: string
}

/** Waits for an answer beside the file. */
async function stored(cache: FanoutCache): Promise<void> {
  await expect.poll(() => cache.count()).toBe(2)
  await settled(cache)
}

/** A server of HTTP/2 without a framework: Express does not know HTTP/2. */
async function site() {
  const warnings: string[] = []
  const warn = ({ message }: Error): void => void warnings.push(message)
  process.on('warning', warn)
  const clock = new ManualClock(1_700_000_000_000)
  const cache = new FanoutCache(temporaryDirectory(), { shards: 2, timeout: 60_000, clock })
  await cache.open()
  await cache.set('/file', Buffer.from(LARGE))
  const [cached, files] = [responseCache(cache), sendFile(cache, { key: req => req.url })]
  const calls: string[] = []
  const closed: string[] = []
  const server = createServer((http2Request, http2Response) => {
    const [req, res] = [http2Request, http2Response] as unknown as [IncomingMessage, ServerResponse]
    const handle = (): void => {
      calls.push(String(req.url))
      res.on('close', () => closed.push(String(req.url)))
      handler(req, res)
    }
    if (req.url === '/file') void files(req, res, handle)
    else cached(req, res, handle)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = connect(url)
  onTestFinished(async () => {
    client.close()
    server.close()
    process.off('warning', warn)
    await cache.close()
  })
  const get = (path: string, headers?: OutgoingHttpHeaders, goes?: 'away') => ask(client, path, headers, goes)
  return { get, cache, clock, calls, closed, warnings, url, stored: () => stored(cache) }
}

function handler(req: IncomingMessage, res: ServerResponse): void {
  if (req.url === '/validated') {
    res.setHeader('ETag', '"1"')
    res.setHeader('Cache-Control', 'max-age=5')
    if (req.headers['if-none-match'] !== undefined) res.statusCode = 304
    res.end(res.statusCode === 304 ? undefined : 'validated')
  } else {
    res.writeHead(200, { 'cache-control': 'max-age=60' })
    if (req.url === '/endless') res.write(LARGE)
    else if (req.url === '/long') void writeAll(res, LARGE, LONG / LARGE.length)
    else if (req.url === '/parts') void writeAll(res, PART, PARTS)
    else res.end(req.url === '/large' ? LARGE : 'small')
  }
}

/** Writes a chunk so often, as fast as the response lets it. */
async function writeAll(res: ServerResponse, chunk: string, times: number): Promise<void> {
  for (let at = 0; at < times; at++) if (!res.write(chunk)) await once(res, 'drain')
  res.end()
}

/** One request; who `goes` away does so with the first bytes. */
function ask(client: ClientHttp2Session, path: string, headers?: OutgoingHttpHeaders, goes?: 'away'): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = client.request({ ':path': path, ...headers })
    const chunks: Buffer[] = []
    let head: Record<string, unknown> = {}
    sent.on('response', fields => {
      head = fields
    })
    sent.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      if (goes) sent.close(8)
    })
    sent.on('error', reject)
    sent.on('close', () => {
      const said = String(head['cache-status']).replace('fanout-cache; ', '')
      resolve({ status: head[':status'], text: Buffer.concat(chunks).toString(), said })
    })
    sent.end()
  })
}

describe('over HTTP/2', () => {
  it.each([
    ['/small', 'small'],
    ['/large', LARGE],
  ])('%s is stored, and answered with', async (path, text) => {
    const { get, stored, calls, warnings } = await site()
    expect(await get(path)).toEqual({ status: 200, text, said: 'fwd=uri-miss; stored' })
    await stored()
    expect(await get(path)).toEqual({ status: 200, text, said: 'hit; ttl=60' })
    expect(await get(path, { range: 'bytes=0-1' })).toMatchObject({ status: 206, text: text.slice(0, 2) })
    expect(await get(path, { ':method': 'HEAD' })).toEqual({ status: 200, text: '', said: 'hit; ttl=60' })
    expect([calls, warnings]).toEqual([[path], []])
  })

  it('what is longer than may wait for the disk waits for it', async () => {
    const { get, stored, calls } = await site()
    const release = holdThreads()
    const first = get('/long')
    await new Promise(resolve => setTimeout(resolve, 200))
    await release()
    expect((await first).text.length).toBe(LONG)
    await stored()
    const { text, said } = await get('/long')
    expect([text.length, said, calls]).toEqual([LONG, 'hit; ttl=60', ['/long']])
  })

  it('a client that reads slowly all the time holds up nobody else', async () => {
    const { get, url } = await site()
    const connection = connect(url)
    onTestFinished(() => connection.destroy())
    const slow = connection.request({ ':path': '/parts' })
    await once(slow, 'readable')
    let taken = 0
    // Each time there is room for more soon, never after long.
    const reading = setInterval(() => {
      taken += ((slow.read(PART.length / 2) ?? slow.read()) as Buffer | null)?.length ?? 0
    }, 20)
    const other = await get('/parts')
    clearInterval(reading)
    expect(other.text.length).toBe(PARTS * PART.length)
    expect(taken).toBeLessThan((PARTS * PART.length) / 2)
    for await (const chunk of slow) taken += (chunk as Buffer).length
    expect(taken).toBe(PARTS * PART.length)
  })

  it('what is stale is validated', async () => {
    const { get, stored, clock, warnings } = await site()
    await get('/validated')
    await stored()
    clock.advance(6000)
    expect(await get('/validated')).toEqual({
      status: 200,
      text: 'validated',
      said: 'fwd=stale; fwd-status=304; stored',
    })
    const again = (): Promise<Reply> => get('/validated', { 'if-none-match': '"1"' })
    await expect.poll(again).toEqual({ status: 304, text: '', said: 'hit; ttl=5' })
    expect(warnings).toEqual([])
  })

  it('a Host that is not that of :authority chooses no page', async () => {
    const { get } = await site()
    const said = async (headers: OutgoingHttpHeaders) => (await get('/small', headers)).said
    expect(await said({ ':authority': 'here', host: 'there' })).toBe('fwd=bypass; detail=no-host')
    expect(await said({ ':authority': 'here', host: 'here' })).toBe('fwd=uri-miss; stored')
  })

  it('who goes away leaves nothing', async () => {
    const { get, cache, calls, closed } = await site()
    for (let round = 1; round <= 2; round++) {
      await get('/endless', {}, 'away')
      await expect.poll(() => closed.length).toBe(round)
      await settled(cache)
    }
    expect(calls).toEqual(['/endless', '/endless'])
    expect(await cache.count()).toBe(1)
  })

  it('files are sent, whole and in parts', async () => {
    const { get } = await site()
    expect(await get('/file')).toMatchObject({ status: 200, text: LARGE })
    expect(await get('/file', { range: 'bytes=-3' })).toMatchObject({ status: 206, text: 'xxx' })
  })
})

describe('over HTTP/1 to a server that speaks HTTP/2 too', () => {
  it('a stale answer is renewed behind the one that is given', async () => {
    const clock = new ManualClock(1_700_000_000_000)
    const cache = new FanoutCache(temporaryDirectory(), { shards: 2, timeout: 60_000, clock })
    await cache.open()
    onTestFinished(() => cache.close())
    const cached = responseCache(cache)
    let calls = 0
    const server = createSecureServer({ allowHTTP1: true }, (http2Request, http2Response) => {
      const [req, res] = [http2Request, http2Response] as unknown as [IncomingMessage, ServerResponse]
      cached(req, res, () => {
        res.setHeader('Cache-Control', 'max-age=1, stale-while-revalidate=60')
        res.end(String(++calls))
      })
    })
    // A connection as it is behind TLS, which needs no certificate this way.
    const get = async (): Promise<string> => {
      const [near, far] = duplexPair()
      Object.assign(far, { encrypted: true, alpnProtocol: 'http/1.1', server })
      server.emit('secureConnection', far as never)
      const headers = { host: 'here', connection: 'close' }
      const sent = request({ headers, createConnection: () => near as Socket }).end()
      const [answer] = (await once(sent, 'response')) as [IncomingMessage]
      return (await answer.toArray()).join('')
    }
    expect(await get()).toBe('1')
    await settled(cache)
    clock.advance(5000)
    expect(await get()).toBe('1')
    await expect.poll(() => calls).toBe(2)
    await expect.poll(get).toBe('2')
  })
})
