import { readdirSync, readlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import express from 'express'
import { FanoutCache } from 'fanout-cache'
import { responseCache, sendFile } from 'fanout-cache/express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Gate, nextTurn } from '../helpers/gate.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { ask, listen } from './support/http.js'

const LARGE = 4 * 2 ** 20
const CLIENTS = 4

const body = (): Readable => Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(LARGE / 64)))

/** An app of which `/never` is never answered; what is asked behind it on one connection waits. */
async function start() {
  const directory = temporaryDirectory()
  const cache = new FanoutCache(directory, { shards: 2 })
  await cache.set('file', body())
  onTestFinished(() => cache.close())
  let closed = 0
  const app = express()
  app.get('/never', () => undefined)
  app.use('/file', sendFile(cache, { key: () => 'file' }))
  app.use('/filled', sendFile(cache, { key: () => 'filled', fill: body }))
  app.use(responseCache(cache))
  app.get('/page', (_request, response) => {
    response.on('close', () => closed++)
    body().pipe(response.set('Cache-Control', 'max-age=60'))
  })
  const { port } = await listen(app)
  const open = (): string[] => filesBelow(directory).filter(path => path.endsWith('.val') || path.includes('-tmp'))
  return { cache, port, open, closed: () => closed }
}

/** Asks for a path behind an answer that never comes. */
function queue(port: number, path: string): () => void {
  const socket = connect(port, '127.0.0.1')
  const head = `HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`
  socket.write(`GET /never ${head}GET ${path} ${head}`)
  return () => socket.destroy()
}

function filesBelow(directory: string): string[] {
  return readdirSync('/proc/self/fd').flatMap(fd => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(directory) ? [path] : []
    } catch {
      // It was that of the listing itself.
      return []
    }
  })
}

describe.runIf(process.platform === 'linux')('a client that goes while its answer waits for an earlier one', () => {
  it.each([
    ['a file', '/file'],
    ['a file that is fetched', '/filled'],
    ['a page from the cache', '/page'],
  ])('leaves nothing open of %s', async (_name, path) => {
    const { cache, port, open } = await start()
    await ask(port, path)
    await expect.poll(() => cache.count()).toBe(path === '/file' ? 1 : 2)
    await expect.poll(open).toEqual([])
    const leave = Array.from({ length: CLIENTS }, () => queue(port, path))
    await expect.poll(() => open().length).toBe(CLIENTS)
    for (const one of leave) one()
    // Later they would be closed as garbage.
    await expect.poll(open, { timeout: 20_000 }).toEqual([])
  })

  it('leaves the page to the next who asks, and its handler hears of it', async () => {
    const { port, open, closed } = await start()
    const leave = queue(port, '/page')
    await expect.poll(() => open().length).toBeGreaterThan(0)
    leave()
    await expect.poll(closed).toBe(1)
    expect((await ask(port, '/page')).body).toHaveLength(LARGE)
    await expect.poll(open).toEqual([])
  })

  it('does not keep those before it from their answers', async () => {
    const { port } = await start()
    const socket = connect(port, '127.0.0.1')
    const head = `HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`
    let length = 0
    socket.on('data', chunk => {
      length += chunk.byteLength
    })
    // More than a socket may have listeners.
    socket.write(`GET /file ${head}\r\n`.repeat(12))
    socket.write(`GET /page ${head}Connection: close\r\n\r\n`)
    await new Promise(resolve => socket.once('close', resolve))
    expect(length).toBeGreaterThan(13 * LARGE)
  })

  it('gets no stale page in the place of its handler, which then has nothing to write to', async () => {
    const cache = new FanoutCache(temporaryDirectory(), { shards: 2 })
    onTestFinished(() => cache.close())
    const [asked, gone, errors]: [Gate, Gate, unknown[]] = [new Gate(), new Gate(), []]
    let calls = 0
    const app = express()
    app.get('/never', () => undefined)
    app.use(responseCache(cache))
    app.get('/page', async (_request, response) => {
      response.set('Cache-Control', 'max-age=0, stale-if-error=60').set('ETag', '"1"')
      if (++calls === 1) return void response.end('page')
      response.on('error', error => errors.push(error)).once('close', () => setTimeout(() => gone.open(), 20))
      asked.open()
      await gone.opened
      response.end('late')
    })
    const { port } = await listen(app)
    await ask(port, '/page')
    await expect.poll(() => cache.count()).toBe(1)
    const leave = queue(port, '/page')
    await asked.opened
    leave()
    await gone.opened
    await nextTurn()
    expect(errors).toEqual([])
  })
})
