import { once } from 'node:events'
import { Agent } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Response } from 'express'
import { describe, expect, it } from 'vitest'
import { Gate, nextTurn } from '../../helpers/gate.js'
import { holdThreads } from '../../helpers/held-threads.js'
import { settled, site } from './support/app.js'
import { chunksOf, digest } from './support/bodies.js'

const CHUNK = 2 ** 20
/** More than what may wait for the disk. */
const CHUNKS = 48
/** What may be written before the handler has to wait, with what the buffers of a connection take. */
const MOST_AHEAD = 16
const QUIET_TURNS = 20

const chunks = (): Generator<Buffer> => chunksOf(CHUNKS, CHUNK)
const WHOLE = digest(chunks())

/** The ways in which a handler writes what it has at once, as far as the response lets it. */
const WAYS: Record<string, (res: Response, source: Iterable<Buffer>) => unknown> = {
  write: async (res, source) => {
    for (const chunk of source) if (!res.write(chunk)) await once(res, 'drain')
    res.end()
  },
  pipe: (res, source) => Readable.from(source, { objectMode: false }).pipe(res),
  pipeline: (res, source) => pipeline(Readable.from(source, { objectMode: false }), res),
}

async function quick(way: string) {
  const progress = { written: 0, begun: new Gate() }
  function* counted(): Generator<Buffer> {
    for (const chunk of chunks()) {
      yield chunk
      progress.written++
      if (progress.written === 4) progress.begun.open()
    }
  }
  const made = await site(
    app =>
      void app.get('/', (_req, res) => {
        res.set({ 'Cache-Control': 'max-age=60', ETag: '"1"' }).type('bin')
        WAYS[way]?.(res, counted())
      }),
    { cacheOptions: { sizeLimit: 2 ** 30 } },
  )
  return { ...made, progress }
}

/**
 * Resolves when the handler has stopped writing: handler and client are in this process, and nothing moves in many turns
 * of its loop. Time would tell nothing of a busy machine, and the disk is given up when it takes nothing for a second.
 */
async function stopped(progress: { readonly written: number; readonly begun: Gate }): Promise<void> {
  await progress.begun.opened
  for (let before = progress.written, quiet = 0; quiet < QUIET_TURNS; before = progress.written) {
    await nextTurn()
    quiet = before === progress.written ? quiet + 1 : 0
  }
}

describe('an answer whose handler is faster than the disk', () => {
  it.each(Object.keys(WAYS))('waits for the disk and is stored whole (%s)', async way => {
    const { get, status, progress } = await quick(way)
    const release = holdThreads()
    const first = get('/')
    await stopped(progress)
    expect(progress.written).toBeLessThan(MOST_AHEAD)
    await release()
    expect(digest((await first).body)).toBe(WHOLE)
    await expect.poll(() => status('/', { method: 'HEAD' })).toMatch(/^hit/)
    expect(digest((await get('/')).body)).toBe(WHOLE)
  })

  it.each(Object.keys(WAYS))('is stored whole for a client that needs no body (%s)', async way => {
    const { get, status, progress } = await quick(way)
    const release = holdThreads()
    // One that closes its connection after its answer takes the handler with it, some time after.
    const agent = new Agent({ keepAlive: true })
    const first = get('/', { headers: { 'If-None-Match': '"1"' }, agent })
    await stopped(progress)
    expect(progress.written).toBeLessThan(MOST_AHEAD)
    await release()
    expect((await first).status).toBe(304)
    await expect.poll(() => status('/', { method: 'HEAD' })).toMatch(/^hit/)
    expect(digest((await get('/')).body)).toBe(WHOLE)
  })

  it.each(Object.keys(WAYS))('is complete when the disk takes nothing, and not stored (%s)', async way => {
    const { get, status, cache } = await quick(way)
    const release = holdThreads()
    expect(digest((await get('/')).body)).toBe(WHOLE)
    await release()
    await settled(cache)
    expect(await cache.count()).toBe(0)
    expect(await cache.check()).toEqual([])
    expect(digest((await get('/')).body)).toBe(WHOLE)
    // A disk with much else to do may take nothing for a second once more.
    await expect.poll(() => status('/')).toMatch(/^hit/)
  })
})
