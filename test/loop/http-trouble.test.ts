import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import express, { type Express } from 'express'
import type { FanoutCache } from 'fanout-cache'
import { responseCache, sendFile } from 'fanout-cache/express'
import { describe, expect, it } from 'vitest'
import { cacheOf, shardsOf } from '../faults/support/caches.js'
import { overwriteAll } from '../faults/support/damage.js'
import { LockHolder } from '../faults/support/lock-holder.js'
import { fillUp, mountTmpfs, tmpfsAvailable } from '../faults/support/tmpfs.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { ask, listen } from '../middleware/support/http.js'

const KIND = 'FanoutCache'
/** What a cache in trouble may add to the time of the handler: 50 ms, most of them waiting. */
const MOST = { parts: 5, waitMilliseconds: 9, workMilliseconds: 1 }
const REQUESTS = 15

/** What answers with the path that was asked for, with a cache and without. */
type Mount = (app: Express, cache: FanoutCache | undefined) => void

const answers: Mount = (app, cache) => {
  if (cache) app.use(responseCache(cache) as never)
  app.use((req, res) => void res.set('Cache-Control', 'max-age=60').send(req.path))
}

const files: Mount = (app, cache) => {
  const fill = ({ path }: { readonly path: string }): Readable => Readable.from([Buffer.from(path)])
  if (cache) app.use(sendFile(cache, { key: req => req.url, fill: req => fill(req as never) }) as never)
  else app.use((req, res) => void fill(req).pipe(res))
}

/**
 * The times of the same requests in turns: with a cache in trouble, and without one but with the most that may be added
 * to it. A machine with much to do lengthens both.
 */
async function compare(
  mount: Mount,
  cache: FanoutCache,
  path: (turn: number) => string,
): Promise<{ withCache: number; most: number }> {
  const [withCache, without] = await Promise.all([serve(mount, cache), serve(mount, undefined)])
  const times: { withCache: number; most: number }[] = []
  for (let turn = 0; turn < REQUESTS; turn++) {
    times.push({
      withCache: await timeOf(() => expectAnswer(withCache, path(turn))),
      most: await timeOf(async () => {
        await expectAnswer(without, path(turn))
        await addMost()
      }),
    })
  }
  return { withCache: median(times.map(time => time.withCache)), most: median(times.map(time => time.most)) }
}

async function expectAnswer(port: number, path: string): Promise<void> {
  const { status, text } = await ask(port, path)
  expect([status, text]).toEqual([200, path])
}

/** Milliseconds. */
async function timeOf(action: () => Promise<void>): Promise<number> {
  const begun = performance.now()
  await action()
  return performance.now() - begun
}

async function addMost(): Promise<void> {
  for (let part = 0; part < MOST.parts; part++) {
    await sleep(MOST.waitMilliseconds)
    const before = process.cpuUsage()
    while (process.cpuUsage(before).user + process.cpuUsage(before).system < MOST.workMilliseconds * 1000);
  }
}

function expectNoSlower({ withCache, most }: { readonly withCache: number; readonly most: number }): void {
  expect(withCache).toBeLessThan(most)
}

async function serve(mount: Mount, cache: FanoutCache | undefined): Promise<number> {
  const app = express()
  mount(app, cache)
  return (await listen(app)).port
}

function median(times: readonly number[]): number {
  return [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] as number
}

function open(directory: string): FanoutCache {
  const cache = cacheOf(KIND, directory) as FanoutCache
  cache.on('error', () => undefined)
  return cache
}

const missing = (turn: number): string => `/new-${turn}`
const stored = (): string => '/stored'

const REQUESTED: readonly (readonly [string, Mount, (turn: number) => string])[] = [
  ['that miss', answers, missing],
  ['for one answer', answers, stored],
  ['for files that are fetched', files, missing],
  ['for one file', files, stored],
]

describe.each(REQUESTED)('requests %s are no slower than the handler and 50 ms', (_which, mount, path) => {
  it('while another process holds the locks', async () => {
    const directory = temporaryDirectory()
    const cache = open(directory)
    await cache.count()
    const holder = await LockHolder.holding(KIND, directory)
    const times = await compare(mount, cache, path)
    await holder.free()
    expectNoSlower(times)
  })

  it('when the databases are damaged', async () => {
    const directory = temporaryDirectory()
    const cache = open(directory)
    await cache.set('key', 'x'.repeat(10_000))
    for (const shard of shardsOf(KIND)) overwriteAll(join(directory, shard, 'cache.db'))
    const times = await compare(mount, cache, path)
    expectNoSlower(times)
  })

  it.skipIf(!tmpfsAvailable)('on a full disk', async () => {
    const root = mountTmpfs('size=16m')
    const cache = open(join(root, 'cache'))
    await cache.count()
    fillUp(root)
    const times = await compare(mount, cache, path)
    expectNoSlower(times)
  })
})
