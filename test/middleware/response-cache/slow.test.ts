import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Site, type SiteOptions, settled, site } from './support/app.js'

const CHUNK = 65_536
/** More than what fits into the buffers of a connection. */
const CHUNKS = 240

function* chunks(): Generator<Buffer> {
  for (let at = 0; at < CHUNKS; at++) yield Buffer.alloc(CHUNK, String.fromCharCode(97 + (at % 26)))
}

const digest = (bytes: Buffer | readonly Buffer[]): string =>
  [bytes]
    .flat()
    .reduce((hash, chunk) => hash.update(chunk), createHash('sha256'))
    .digest('hex')
const WHOLE = digest([...chunks()])

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
  const idle = connect(made.port, '127.0.0.1').on('error', () => undefined)
  onTestFinished(() => void idle.destroy())
  idle.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${made.port}\r\nConnection: close\r\n\r\n`)
  await once(idle, 'readable')
  return { made, idle, calls: () => calls }
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
})
