import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Response } from 'express'
import { purge } from 'fanout-cache/express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Gate } from '../../helpers/gate.js'
import { rawDatabase } from '../../helpers/raw-database.js'
import { valueFiles } from '../../helpers/value-files.js'
import type { Reply } from '../support/http.js'
import { type Site, settled, site } from './support/app.js'

const CHUNK = 2 ** 20
/** More than what is kept in memory for those who read slowly. */
const TOO_MANY = 70

/** An answer whose handler sends its beginning, and the rest when all are there; longer than what may be stored. */
async function overlong(count: number, maxEntrySize: number) {
  const rest = new Gate()
  let calls = 0
  const made = await site(
    app =>
      void app.get('/', async (_req, res) => {
        calls++
        res.set('Cache-Control', 'max-age=60').type('bin').write(chunk(0))
        await rest.opened
        Readable.from(chunks(count), { objectMode: false }).pipe(res)
      }),
    { options: { maxEntrySize } },
  )
  return { made, rest, calls: () => calls }
}

function chunk(at: number): Buffer {
  return Buffer.alloc(CHUNK, String.fromCharCode(97 + (at % 26)))
}

function* chunks(count: number): Generator<Buffer> {
  for (let at = 1; at < count; at++) yield chunk(at)
}

/** Resolves when the first bytes of the answer are there. */
async function begun({ get }: Site): Promise<{ reply: Promise<Reply> }> {
  const gate = new Gate()
  const reply = get('/', { onBytes: () => gate.open() })
  await gate.opened
  return { reply }
}

/** A client that has got the beginning of the answer, and reads no more until it is asked to. */
async function idleClient({ port }: Site) {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`)
  await once(socket, 'readable')
  /** Whether what it gets is marked as complete. */
  const isWhole = async (): Promise<boolean> => {
    let end = Buffer.alloc(0)
    try {
      for await (const bytes of socket) end = Buffer.concat([end, bytes as Buffer]).subarray(-7)
    } catch {
      return false
    }
    return end.toString('latin1') === '\r\n0\r\n\r\n'
  }
  return { isWhole }
}

describe('those who have joined an answer that is not stored after all', () => {
  it('get all of it', async () => {
    const { made, rest, calls } = await overlong(12, 3 * CHUNK)
    const all = [await begun(made), await begun(made), await begun(made)]
    rest.open()
    const replies = await Promise.all(all.map(({ reply }) => reply))
    const wanted = Buffer.concat([chunk(0), ...chunks(12)])
    expect(replies.map(({ body, cut }) => [body.equals(wanted), cut])).toEqual(Array(3).fill([true, false]))
    expect(replies.map(({ headers }) => /collapsed/.test(String(headers['cache-status'])))).toEqual([false, true, true])
    expect([calls(), await made.cache.count()]).toEqual([1, 0])
  })

  it('get all of it when the cache is closed meanwhile', async () => {
    const { made, rest } = await overlong(12, 20 * CHUNK)
    const all = [await begun(made), await begun(made)]
    await made.cache.close()
    rest.open()
    const replies = await Promise.all(all.map(({ reply }) => reply))
    const wanted = Buffer.concat([chunk(0), ...chunks(12)])
    expect(replies.map(({ body, cut }) => [body.equals(wanted), cut])).toEqual(Array(2).fill([true, false]))
    await made.cache.open()
    expect([await made.cache.count(), await made.cache.check()]).toEqual([0, []])
  })

  it('are cut off when they read more slowly than memory can wait', async () => {
    const { made, rest } = await overlong(TOO_MANY, 3 * CHUNK)
    const leader = await begun(made)
    const idle = await idleClient(made)
    rest.open()
    expect((await leader.reply).body.byteLength).toBe(TOO_MANY * CHUNK)
    expect(await idle.isWhole()).toBe(false)
  })

  it('are cut off when the handler waits for its own client, which gets all of it', async () => {
    const { made, rest } = await overlong(TOO_MANY, 3 * CHUNK)
    const idle = await idleClient(made)
    const joined = await begun(made)
    rest.open()
    const { cut, body } = await joined.reply
    expect([cut, body.byteLength < TOO_MANY * CHUNK]).toEqual([true, true])
    expect(await idle.isWhole()).toBe(true)
  })
})

describe('the request after one whose answer was not stored', () => {
  const tags = Array.from({ length: 300 }, (_, tag) => `tag-${tag}`).join()

  it.each<[what: string, spoil: (res: Response) => unknown]>([
    ['a 304 about another version than the stored one', res => res.set('ETag', '"2"').status(304).end()],
    ['a 304 with more tags than an answer can have', res => res.set('Cache-Tag', tags).status(304).end()],
    ['an answer that broke off', res => res.write('a part', () => res.destroy())],
  ])('stores its own, after %s', async (_what, spoil) => {
    let isSpoilt = false
    const made = await site(app => {
      app.get('/', (_req, res) => {
        res.set({ 'Cache-Control': 'max-age=10', ETag: '"1"' })
        if (isSpoilt) spoil(res)
        else res.end('whole')
      })
    })
    await made.get('/')
    await expect.poll(() => made.status('/')).toMatch(/^hit/)
    made.clock.advance(11_000)
    isSpoilt = true
    await made.get('/')
    isSpoilt = false
    expect(await made.status('/')).toMatch(/; stored$/)
  })

  it('stores its own, and nothing is left of a variant that was purged while it arrived', async () => {
    const rest = new Gate()
    const made = await site(app => {
      app.get('/', async (_req, res) => {
        res.set({ 'Cache-Control': 'max-age=10', Vary: 'Accept' }).write('a part, ')
        await rest.opened
        res.end('and the rest')
      })
    })
    const { reply } = await begun(made)
    await purge(made.cache, { url: '/' })
    rest.open()
    await reply
    await settled(made.cache)
    await expect.poll(() => made.cache.count()).toBe(0)
    expect(await made.status('/')).toMatch(/; stored$/)
  })

  it('finds no file of an answer that came while others held the lock', async () => {
    const body = Buffer.alloc(3_000_000, 'a long body, ')
    const made = await site(app => {
      app.get('/', (_req, res) => void res.set('Cache-Control', 'max-age=10').end(body))
    })
    await made.cache.count()
    const shards = ['000', '001'].map(shard => rawDatabase(join(made.cache.directory, shard)))
    for (const shard of shards) shard.exec('BEGIN IMMEDIATE')
    expect((await made.get('/')).body.equals(body)).toBe(true)
    for (const shard of shards) shard.exec('ROLLBACK')
    await expect.poll(() => valueFiles(made.cache.directory)).toEqual([])
  })

  it('stores its own, after a variant that the database refused', async () => {
    const made = await site(app => {
      app.get('/', (_req, res) => void res.set({ 'Cache-Control': 'max-age=10', Vary: 'Accept' }).end('a variant'))
    })
    await made.cache.count()
    const shards = ['000', '001'].map(shard => rawDatabase(join(made.cache.directory, shard)))
    for (const shard of shards) {
      shard.exec("CREATE TRIGGER refuse BEFORE INSERT ON Cache BEGIN SELECT RAISE(ABORT, 'no room'); END")
    }
    await made.get('/')
    await settled(made.cache)
    for (const shard of shards) shard.exec('DROP TRIGGER refuse')
    expect(await made.status('/')).toMatch(/; stored$/)
  })
})

describe('a long answer whose head is too long to lie beside it', () => {
  it('leaves no file', async () => {
    const tags = Array.from({ length: 200 }, (_, at) => `${at} ${'t'.repeat(100)}`)
    const { get, cache } = await site(
      app => void app.get('/', (_req, res) => void res.set('Cache-Control', 'max-age=60').end(chunk(0))),
      { options: { tags } },
    )
    expect((await get('/')).body.byteLength).toBe(CHUNK)
    await settled(cache)
    expect(await cache.count()).toBe(0)
    await expect.poll(() => temporaryFiles(cache.directory)).toEqual([])
  })
})

function temporaryFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(name => name.includes('cache.db-tmp-'))
}
