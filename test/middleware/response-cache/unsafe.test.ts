import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Express } from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Gate } from '../../helpers/gate.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { settled, site, statusOf } from './support/app.js'

/** Sums up what other connections have committed to a cache of two shards. */
function watch(directory: string): () => unknown[] {
  const databases = ['000', '001'].map(shard => new Database(join(directory, shard, 'cache.db'), { readonly: true }))
  onTestFinished(() => {
    for (const database of databases) database.close()
  })
  return () => databases.map(database => database.pragma('data_version', { simple: true }))
}

describe('an unsafe request', () => {
  it('writes nothing where nothing is stored', async () => {
    const directory = temporaryDirectory()
    const { get, cache } = await site(
      app => {
        app.get('/', (_req, res) => void res.set('Cache-Control', 'max-age=60').send('x'))
        app.post('/', (_req, res) => void res.send('done'))
      },
      { directory },
    )
    const versions = watch(directory)
    const before = versions()
    await get('/', { method: 'POST' })
    await settled(cache)
    expect(versions()).toEqual(before)
    await get('/')
    await settled(cache)
    const stored = versions()
    await get('/', { method: 'POST' })
    await settled(cache)
    expect(versions()).not.toEqual(stored)
    expect(statusOf(await get('/'))).toMatch(/^fwd=uri-miss/)
  })

  it.each(['/a?b', 'http://localhost/a?b', 'HTTP://LOCALHOST:80/a?b'])(
    'removes what it is for, named as %s',
    async target => {
      const { get, cache } = await site(app => {
        app.get('/a', (_req, res) => void res.set('Cache-Control', 'max-age=60').send('x'))
        app.post('/a', (_req, res) => void res.send('done'))
      })
      const headers = { host: 'localhost' }
      await get('/a?b', { headers })
      await settled(cache)
      expect((await get(target, { method: 'POST', headers })).text).toBe('done')
      await settled(cache)
      expect(statusOf(await get('/a?b', { headers }))).toMatch(/^fwd=uri-miss/)
    },
  )

  it('removes what its answer names, under the host that all keys have', async () => {
    const { get, cache, status } = await site(
      app => {
        app.get('/b', (_req, res) => void res.set('Cache-Control', 'max-age=60').send('x'))
        app.post('/a', (_req, res) => void res.set('Location', '/b').status(201).send('done'))
      },
      { options: { authority: 'https://example.com' } },
    )
    await get('/b')
    await settled(cache)
    await get('/a', { method: 'POST' })
    await settled(cache)
    expect(await status('/b')).toMatch(/^fwd=uri-miss/)
  })

  it('is no trouble where the cache may only be read', async () => {
    const directory = temporaryDirectory()
    const mount = (app: Express): void => {
      app.get('/a', (_req, res) => void res.set('Cache-Control', 'max-age=60').send('x'))
      app.post('/a', (_req, res) => void res.send('done'))
    }
    const options = { authority: 'example.com' }
    const writer = await site(mount, { directory, options })
    await writer.get('/a')
    await settled(writer.cache)
    await writer.cache.close()
    const { get, status, cache } = await site(mount, { directory, options, cacheOptions: { readonly: true } })
    const errors: Error[] = []
    cache.on('error', error => errors.push(error))
    expect(await status('/a')).toMatch(/^hit/)
    expect((await get('/a', { method: 'POST' })).text).toBe('done')
    await settled(cache)
    expect(errors).toEqual([])
  })

  it.each([
    ['a flight', {}],
    ['a flight for a variant', { Vary: 'Accept' }],
  ])('makes %s that began before bring nothing into the cache', async (_what, fields) => {
    const [called, free] = [new Gate(), new Gate()]
    let version = 1
    let calls = 0
    const { get, cache } = await site(app => {
      app.get('/', async (_req, res) => {
        const text = `version ${version}`
        if (++calls === 2) {
          called.open()
          await free.opened
        }
        res.set({ 'Cache-Control': 'max-age=60', ...fields }).send(text)
      })
      app.post('/', (_req, res) => {
        version++
        res.send('done')
      })
    })
    const earlier = { headers: { accept: 'a' } }
    await get('/', earlier)
    await settled(cache)
    await get('/', { method: 'POST' })
    await settled(cache)
    const flight = get('/', earlier)
    await called.opened
    await get('/', { method: 'POST' })
    free.open()
    expect((await flight).text).toBe('version 2')
    await settled(cache)
    expect((await get('/', earlier)).text).toBe('version 3')
  })
})

it('an unsafe request removes what is kept under the key that the app makes of it', async () => {
  const made = await site(
    app => void app.all('/:page', (_req, res) => void res.set('Cache-Control', 'max-age=60').send('x')),
    { options: { key: req => req.url?.split('?')[0] } },
  )
  await made.get('/a?1')
  await settled(made.cache)
  expect(await made.status('/a?2')).toMatch(/^hit/)
  await made.get('/a?3', { method: 'POST' })
  await expect.poll(() => made.status('/a?4')).toMatch(/^fwd=uri-miss/)
})
