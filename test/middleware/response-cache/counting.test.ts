import type { FanoutCache } from 'fanout-cache'
import { purge } from 'fanout-cache/express'
import { describe, expect, it } from 'vitest'
import { type Site, settled, site } from './support/app.js'

/** What one request adds to the hits and misses of the cache. */
async function countedBy(
  { cache }: Site,
  request: () => Promise<unknown>,
): Promise<readonly [hits: number, misses: number]> {
  await settled(cache)
  await counts(cache, true)
  await request()
  await settled(cache)
  return counts(cache)
}

async function stored({ cache }: Site, entries: number): Promise<void> {
  await expect.poll(() => cache.count(), { timeout: 10_000 }).toBe(entries)
}

async function counts(cache: FanoutCache, reset = false): Promise<readonly [hits: number, misses: number]> {
  const { hits, misses } = await cache.stats({ reset })
  return [hits, misses]
}

describe('a request is counted once', () => {
  const said = { fields: {} as Record<string, string>, size: 10 }

  async function counted(fields: Record<string, string>, size = 10): Promise<Site> {
    Object.assign(said, { fields, size })
    return site(
      app => {
        app.get('/', (req, res) => {
          for (const [name, value] of Object.entries(said.fields)) res.setHeader(name, value)
          const { 'if-none-match': asked } = req.headers
          if (asked !== undefined && asked === said.fields['ETag']) return void res.status(304).end()
          res.end('x'.repeat(said.size))
        })
      },
      { cacheOptions: { statistics: true } },
    )
  }

  it.each([10, 200_000])('as a miss, then as a hit, with a body of %d bytes', async size => {
    const one = await counted({ 'Cache-Control': 'max-age=60' }, size)
    expect(await countedBy(one, () => one.get('/'))).toEqual([0, 1])
    await stored(one, 1)
    expect(await countedBy(one, () => one.get('/'))).toEqual([1, 0])
    expect(await countedBy(one, () => one.get('/', { headers: { Range: 'bytes=0-1' } }))).toEqual([1, 0])
  })

  it('as a miss when nothing is stored of it', async () => {
    const one = await counted({})
    expect(await countedBy(one, () => one.get('/'))).toEqual([0, 1])
  })

  it.each([10, 200_000])('as a hit when %d bytes are stale and a 304 renews them', async size => {
    const one = await counted({ 'Cache-Control': 'max-age=1', ETag: '"a"' }, size)
    await one.get('/')
    await stored(one, 1)
    one.clock.advance(2000)
    expect(await countedBy(one, () => one.status('/'))).toEqual([1, 0])
  })

  it.each([10, 200_000])('for each variant of %d bytes, whatever leads to it', async size => {
    const one = await counted({ 'Cache-Control': 'max-age=60', Vary: 'X-A' }, size)
    for (const [at, value] of ['1', '2'].entries()) {
      const ask = () => one.get('/', { headers: { 'X-A': value } })
      expect(await countedBy(one, ask)).toEqual([0, 1])
      // And the list of them.
      await stored(one, at + 2)
      expect(await countedBy(one, ask)).toEqual([1, 0])
    }
  })

  it('whatever a purge looks at', async () => {
    const one = await counted({ 'Cache-Control': 'max-age=60', 'Cache-Tag': 'news' })
    await one.get('/')
    await stored(one, 1)
    expect(await countedBy(one, () => purge(one.cache, { tag: 'news', soft: true }))).toEqual([0, 0])
    expect(await countedBy(one, () => purge(one.cache, { url: '/' }))).toEqual([0, 0])
  })
})

describe('a list of variants', () => {
  it('is used by each hit of one of them, so that it is not evicted before them', async () => {
    const made = await site(
      app =>
        void app.get('/', (req, res) => {
          res.set({ 'Cache-Control': 'max-age=60', Vary: 'X-A' }).send(req.get('x-a'))
        }),
      { cacheOptions: { evictionPolicy: 'least-recently-used' } },
    )
    const asking = { headers: { 'X-A': '1' } }
    await made.get('/', asking)
    await stored(made, 2)
    made.clock.advance(30_000)
    expect(await made.status('/', asking)).toMatch(/^hit/)
    await settled(made.cache)
    // Marks of reads are written with the next write.
    for (const key of ['a', 'b', 'c', 'd']) await made.cache.set(key, 1)
    const ages: number[] = []
    for await (const key of made.cache.keys({ prefix: 'fanout-cache\n' })) {
      ages.push(made.clock.now() - ((await made.cache.info(key))?.accessedAt ?? 0))
    }
    expect(ages).toEqual([0, 0])
  })
})
