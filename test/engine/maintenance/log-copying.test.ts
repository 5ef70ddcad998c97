import { randomBytes } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Cache } from 'fanout-cache'
import { expect, it, onTestFinished, vi } from 'vitest'
import { root, run } from '../../helpers/packed-package.js'
import { rawDatabase } from '../../helpers/raw-database.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

/** Pages at which a process starts a thread that copies the log, and at which commits copy it. */
const WORTH = 2600
const LONGEST = 4000
/** Pages beyond which it never grows here: each copy lets some more writes in. */
const MOST = 6000
const FRAME = 4096 + 24
/** Bytes of the longest file that a log without readers keeps. */
const KEPT_BYTES = 64 * 2 ** 20

interface LogState {
  readonly log: number
  readonly checkpointed: number
}

/** Asks SQLite how long the log is and how much of it is copied, without copying. */
function watchLog(directory: string): () => LogState {
  const db = rawDatabase(directory)
  return () => (db.pragma('wal_checkpoint(NOOP)') as LogState[])[0] as LogState
}

function newCache(directory: string = temporaryDirectory()): Cache {
  const cache = new Cache(directory)
  onTestFinished(() => cache.close())
  return cache
}

/** Writes one after another until the log has so many pages. */
async function writeUntil(cache: Cache, state: () => LogState, pages: number): Promise<void> {
  for (let at = 0; state().log < pages; at++) await cache.set(at % 500, `value ${at}`)
}

it('copies the log while commits need not yet', async () => {
  const directory = temporaryDirectory()
  const cache = newCache(directory)
  await cache.set('first', 1)
  const state = watchLog(directory)
  await writeUntil(cache, state, WORTH + 100)
  await vi.waitFor(() => expect(state().checkpointed).toBeGreaterThan(0), { timeout: 20_000 })
  expect(state().log).toBeLessThan(LONGEST)
})

it('begins the log anew again and again', async () => {
  const directory = temporaryDirectory()
  const cache = newCache(directory)
  await cache.set('first', 1)
  const state = watchLog(directory)
  let restarts = 0
  let before = state().log
  for (let at = 0; at < 8000; at++) {
    await cache.set(at % 500, `value ${at}`)
    const { log } = state()
    if (log < before) restarts++
    before = log
  }
  expect(restarts).toBeGreaterThanOrEqual(2)
  expect(statSync(join(directory, 'cache.db-wal')).size).toBeLessThan(MOST * FRAME)
  expect(await cache.count()).toBe(501)
})

it('keeps the log of a large removal short', async () => {
  const directory = temporaryDirectory()
  const cache = newCache(directory)
  const entries = Array.from({ length: 60_000 }, (_, at): [string, string] => [`key ${(at * 7919) % 60_000}`, 'value'])
  await cache.setMany(entries)
  expect(await cache.clear()).toBe(60_000)
  expect(statSync(join(directory, 'cache.db-wal')).size).toBeLessThan(MOST * FRAME)
  expect(await cache.check()).toEqual([])
})

it('shortens the file of a log that a reader has kept long', async () => {
  const cache = newCache()
  await cache.set('first', 1)
  const bytes = () => statSync(join(cache.directory, 'cache.db-wal')).size
  const reader = rawDatabase(cache.directory)
  reader.exec('BEGIN')
  reader.prepare('SELECT COUNT(*) FROM Cache').get()
  // Pages that stay the same are not written.
  const write = () => cache.setMany(Array.from({ length: 100 }, (_, at) => [at, randomBytes(30_000)]))
  for (let at = 0; bytes() <= KEPT_BYTES && at < 100; at++) await write()
  expect(bytes()).toBeGreaterThan(KEPT_BYTES)
  reader.exec('COMMIT')
  await vi.waitFor(
    async () => {
      await write()
      expect(bytes()).toBeLessThan(KEPT_BYTES)
    },
    { timeout: 20_000 },
  )
  expect(await cache.check()).toEqual([])
})

it('writes of others that come meanwhile are all there afterwards', async () => {
  const directory = temporaryDirectory()
  const caches = [newCache(directory), newCache(directory), newCache(directory)]
  await Promise.all(
    caches.map(async cache => {
      for (let at = 0; at < 2500; at++) await cache.incr(at % 10)
    }),
  )
  const counts = await Promise.all(Array.from({ length: 10 }, (_, key) => caches[0]?.get(key)))
  expect(counts).toEqual(Array.from({ length: 10 }, () => 750))
  expect(await caches[0]?.check()).toEqual([])
})

it('no log is left when a cache is closed while its log is copied', async () => {
  const directory = temporaryDirectory()
  const cache = newCache(directory)
  await cache.set('first', 1)
  const db = rawDatabase(directory)
  let log = 0
  for (let at = 0; log < WORTH + 100; at++) {
    await cache.set(at % 500, `value ${at}`)
    log = (db.pragma('wal_checkpoint(NOOP)') as LogState[])[0]?.log ?? 0
  }
  db.close()
  await cache.close()
  expect(readdirSync(directory).filter(name => /-(wal|shm)$/.test(name))).toEqual([])
})

it('commits copy the log where no thread can be started', async () => {
  const directory = temporaryDirectory()
  const script = `
    import threads from 'node:worker_threads'
    import { syncBuiltinESMExports } from 'node:module'
    threads.Worker = class { constructor() { throw new Error('no threads here') } }
    syncBuiltinESMExports()
    const { Cache } = await import(${JSON.stringify(pathToFileURL(join(root, 'dist/index.mjs')).href)})
    const cache = new Cache(${JSON.stringify(directory)})
    for (let at = 0; at < 4000; at++) await cache.set(at % 500, at)
    const { statSync } = await import('node:fs')
    console.log(statSync(${JSON.stringify(join(directory, 'cache.db-wal'))}).size)
    await cache.close()`
  const bytes = Number(await run(process.execPath, ['--input-type=module', '--eval', script], root))
  expect(bytes).toBeLessThan((WORTH + 500) * FRAME)
})

it('no log is left of caches whose logs are copied one after another', async () => {
  const directories = Array.from({ length: 3 }, () => temporaryDirectory())
  await Promise.all(
    directories.map(async directory => {
      const cache = newCache(directory)
      await cache.set('first', 1)
      const db = rawDatabase(directory)
      const state = (): LogState => (db.pragma('wal_checkpoint(NOOP)') as LogState[])[0] as LogState
      // Until it has been copied and begun anew.
      for (let at = 0, most = 0; at < 4000 && state().log >= most; at++) {
        most = state().log
        await cache.set(at % 500, `value ${at}`)
      }
      db.close()
      await cache.close()
    }),
  )
  expect(directories.flatMap(directory => readdirSync(directory)).filter(name => /-(wal|shm)$/.test(name))).toEqual([])
})

it('copies in a thread again after a thread has ended early', async () => {
  const directory = temporaryDirectory()
  const script = `
    import threads from 'node:worker_threads'
    import { syncBuiltinESMExports } from 'node:module'
    let started = 0
    let answers = 0
    threads.Worker = class extends threads.Worker {
      constructor(...order) {
        super(...order)
        if (started++ === 0) void this.terminate()
        this.on('message', () => answers++)
      }
    }
    syncBuiltinESMExports()
    const { Cache } = await import(${JSON.stringify(pathToFileURL(join(root, 'dist/index.mjs')).href)})
    const cache = new Cache(${JSON.stringify(directory)})
    const end = Date.now() + 15_000
    for (let at = 0; answers === 0 && Date.now() < end; at++) await cache.set(at % 500, at)
    console.log(answers > 0 ? 'copied' : 'never')
    await cache.close()`
  expect((await run(process.execPath, ['--input-type=module', '--eval', script], root)).trim()).toBe('copied')
})
