import type { RequestListener } from 'node:http'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import express5, { type Express } from 'express'
import { type CacheOptions, FanoutCache } from 'fanout-cache'
import { type ResponseCacheOptions, responseCache } from 'fanout-cache/express'
import { onTestFinished } from 'vitest'
import { ManualClock } from '../../../helpers/manual-clock.js'
import { temporaryDirectory } from '../../../helpers/temp-directory.js'
import { type Asking, ask, listen, type Reply } from '../../support/http.js'

// It has no types of its own.
const express4: typeof express5 = createRequire(import.meta.url)('express4')

/** The frameworks that the middleware is for. */
export const FRAMEWORKS: readonly (readonly [name: string, make: () => Express])[] = [
  ['Express 5', () => express5()],
  ['Express 4', () => express4()],
]

export interface Site {
  readonly app: Express
  readonly cache: FanoutCache
  readonly clock: ManualClock
  readonly port: number
  get(path: string, asking?: Asking): Promise<Reply>
  /** What the cache says of an answer to a GET, without its name. */
  status(path: string, asking?: Asking): Promise<string>
}

export interface SiteOptions {
  readonly make?: (() => Express) | undefined
  readonly options?: ResponseCacheOptions
  readonly cacheOptions?: CacheOptions
  readonly directory?: string
  /** Mounts what stands above the cache. */
  readonly above?: (app: Express) => void
}

/** An app with a cache in front of the routes that `mount` gives it. */
export async function site(mount: (app: Express, site: () => Site) => void, options: SiteOptions = {}): Promise<Site> {
  const { make = () => express5(), directory = temporaryDirectory() } = options
  const clock = new ManualClock(Math.floor(Date.now() / 1000) * 1000)
  // Patient: a busy machine must not make a miss of a hit.
  const cache = new FanoutCache(directory, { shards: 2, timeout: 60_000, clock, ...options.cacheOptions })
  await cache.open()
  onTestFinished(async () => {
    await cache.close()
  })
  const app = make()
  options.above?.(app)
  app.use(responseCache(cache, options.options) as never)
  let made: Site | undefined
  mount(app, () => made as Site)
  const { port } = await listen(app as unknown as RequestListener)
  made = {
    app,
    cache,
    clock,
    port,
    get: (path, asking) => ask(port, path, asking),
    status: async (path, asking) => statusOf(await ask(port, path, asking)),
  }
  return made
}

export function statusOf(reply: Reply): string {
  return String(reply.headers['cache-status']).replace(/^fanout-cache; /, '')
}

/** Makes a database refuse to remove entries. */
export function forbidRemoval({ directory }: FanoutCache): void {
  for (const shard of ['000', '001']) {
    const database = new Database(join(directory, shard, 'cache.db'))
    database.exec("CREATE TRIGGER keep BEFORE DELETE ON Cache BEGIN SELECT RAISE(ABORT, 'no removal'); END")
    database.close()
  }
}

/** Waits for what is written behind an answer. */
export async function settled(cache: FanoutCache): Promise<void> {
  for (let round = 0; round < 10; round++) {
    await new Promise(resolve => setImmediate(resolve))
    await cache.count()
  }
}
