import { join } from 'node:path'
import { Readable } from 'node:stream'
import { sendFile } from 'fanout-cache/express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Gate } from '../helpers/gate.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { plain } from '../middleware/support/apps.js'
import { ask, listen } from '../middleware/support/http.js'
import { cacheOf, KINDS, type Kind, shardsOf } from './support/caches.js'
import { overwriteAll } from './support/damage.js'
import { LockHolder } from './support/lock-holder.js'
import { fillUp, mountTmpfs, tmpfsAvailable } from './support/tmpfs.js'

const CONTENT = Buffer.alloc(3_000_000, 'content ')

/** An app that fetches whatever is not there. */
async function serve(kind: Kind, directory: string) {
  const cache = cacheOf(kind, directory)
  cache.on('error', () => undefined)
  onTestFinished(() => cache.close())
  await cache.open()
  let fills = 0
  const fill = (): Readable => {
    fills++
    return Readable.from([CONTENT.subarray(0, 1000), CONTENT.subarray(1000)])
  }
  const { port } = await listen(plain(sendFile(cache, { key: request => request.url, fill })))
  return { cache, get: (path: string) => ask(port, path), fills: () => fills }
}

describe.each(KINDS)('sendFile() over a %s', kind => {
  it('sends what is there, and fetches what is not, while the lock is held', async () => {
    const directory = temporaryDirectory()
    const { cache, get, fills } = await serve(kind, directory)
    await get('/a')
    await expect.poll(() => cache.has('/a')).toBe(true)
    const holder = await LockHolder.holding(kind, directory)
    // It is held until all have been answered.
    const replies = await Promise.all([get('/a'), get('/b'), get('/b'), get('/c')])
    expect(replies.map(({ status, body, cut }) => [status, body.equals(CONTENT), cut])).toEqual(
      Array(4).fill([200, true, false]),
    )
    expect(fills()).toBe(3)
    await holder.free()
    await get('/b')
    await expect.poll(() => cache.has('/b')).toBe(true)
  })

  it('does not wait for the end of a file that has come, and that a lock keeps from being stored', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    onTestFinished(() => cache.close())
    let refused = 0
    cache.on('refused', () => refused++)
    const [begun, rest] = [new Gate(), new Gate()]
    async function* body(): AsyncGenerator<Buffer> {
      yield CONTENT.subarray(0, 1000)
      begun.open()
      await rest.opened
      yield CONTENT.subarray(1000)
    }
    const fill = (): Readable => Readable.from(body())
    const { port } = await listen(plain(sendFile(cache, { key: request => request.url, fill, collapseTimeout: '1h' })))
    const whole = ask(port, '/a')
    await begun.opened
    const holder = await LockHolder.holding(kind, directory)
    const parts = ['bytes=-8', 'bytes=0-7'].map(Range => ask(port, '/a', { headers: { Range } }))
    rest.open()
    const replies = await Promise.all([whole, ...parts])
    expect(replies.map(({ status, body, cut }) => [status, body.equals(CONTENT), cut])).toEqual(
      Array(3).fill([200, true, false]),
    )
    // Nobody has waited until the cache gave up storing it.
    expect(refused).toBe(0)
    await holder.free()
    await expect.poll(() => cache.has('/a')).toBe(true)
  })

  it('does not wait for a fill of its own that has failed, and that a lock keeps from saying so', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    onTestFinished(() => cache.close())
    cache.on('error', () => undefined)
    const [begun, failing] = [new Gate(), new Gate()]
    let fills = 0
    const fill = async (): Promise<string> => {
      if (++fills > 1) return 'content'
      begun.open()
      await failing.opened
      throw new Error('no content')
    }
    const options = { key: () => 'a', fill, collapseTimeout: '1h', lease: '1h' } as const
    const { port } = await listen(plain(sendFile(cache, options)))
    const first = ask(port, '/a')
    await begun.opened
    const holder = await LockHolder.holding(kind, directory)
    failing.open()
    expect((await first).status).toBe(500)
    const second = ask(port, '/a')
    let freed: Promise<void> | undefined
    const timer = setTimeout(() => {
      freed = holder.free()
    }, 5000)
    const { status, text, headers } = await second
    clearTimeout(timer)
    await (freed ?? holder.free())
    // Not stored: the lock was still held.
    expect([status, text, headers['cache-status']]).toEqual([200, 'content', 'fanout-cache; fwd=uri-miss; detail=fill'])
  })

  it('goes on when its databases are damaged', async () => {
    const directory = temporaryDirectory()
    const { get } = await serve(kind, directory)
    await get('/a')
    for (const shard of shardsOf(kind)) overwriteAll(join(directory, shard, 'cache.db'))
    for (let time = 0; time < 3; time++) {
      const { status, body, cut } = await get('/a')
      expect([status, body.equals(CONTENT), cut]).toEqual([200, true, false])
    }
  })

  it.runIf(tmpfsAvailable)('goes on when the disk is full', async () => {
    const directory = mountTmpfs('size=16m')
    const { cache, get } = await serve(kind, directory)
    fillUp(directory)
    for (const path of ['/a', '/b']) {
      const { status, body, cut } = await get(path)
      expect([status, body.equals(CONTENT), cut]).toEqual([200, true, false])
      expect(await cache.has(path)).toBe(false)
    }
  })

  // Each shard of a FanoutCache makes room from its own entries, of which there are too few here.
  it.runIf(tmpfsAvailable && kind === 'Cache')(
    'stores what comes by evicting when its files fill the disk',
    async () => {
      const { cache, get } = await serve(kind, mountTmpfs('size=16m'))
      for (let file = 0; file < 12; file += 1) {
        const { status, body, cut } = await get(`/${file}`)
        expect([status, body.equals(CONTENT), cut], `file ${file}`).toEqual([200, true, false])
        await expect.poll(() => cache.has(`/${file}`), { message: `file ${file}` }).toBe(true)
      }
      expect(await cache.check()).toEqual([])
    },
  )
})
