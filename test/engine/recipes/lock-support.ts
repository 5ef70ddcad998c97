import { AsyncResource } from 'node:async_hooks'
import { readdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Cache, type CacheOptions, type DiskCache, FanoutCache, type Lease } from 'fanout-cache'
import { expect, onTestFinished } from 'vitest'
import { rawDatabase } from '../../helpers/raw-database.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

export type Open = (options?: CacheOptions, directory?: string) => DiskCache

/** A cache of the running test that never evicts, as recipes want it. */
export const KINDS: readonly (readonly [kind: string, open: Open])[] = [
  ['Cache', (options, directory = temporaryDirectory()) => closed(new Cache(directory, never(options)))],
  [
    'FanoutCache',
    (options, directory = temporaryDirectory()) => closed(new FanoutCache(directory, { shards: 4, ...never(options) })),
  ],
]

/** Whether a promise is still open after the loop has turned some times. */
export async function isWaiting(promise: Promise<unknown>, milliseconds = 50): Promise<boolean> {
  let settled = false
  const settle = (): void => {
    settled = true
  }
  promise.then(settle, settle)
  await pause(milliseconds)
  return !settled
}

/** Takes the write lock of every database below a directory, as another process would. Answers what frees them. */
export function blockWrites(directory: string): () => void {
  const databases = databasesOf(directory)
  for (const db of databases) db.exec('BEGIN IMMEDIATE')
  return () => {
    for (const db of databases) db.exec('ROLLBACK')
  }
}

const outside = new AsyncResource('outside of all locks')

/** Runs in an async context which has no lock, so that an RLock does not enter again. */
export function elsewhere<T>(work: () => Promise<T>): Promise<T> {
  return outside.runInAsyncScope(async () => {
    // In a callback of its own: what is entered in that of a resource may stay there.
    await undefined
    return work()
  })
}

/** When the only lease of a cache ends, in epoch milliseconds. */
export function due(cache: DiskCache): number | undefined {
  const instants = databasesOf(cache.directory).flatMap(db => {
    const tables = db.prepare("SELECT name FROM sqlite_master WHERE name = 'Lease'").all()
    const leases = tables.length > 0 ? 'UNION ALL SELECT due FROM Lease' : ''
    const rows = db.prepare(`SELECT expire_time FROM Cache ${leases}`).pluck().all() as number[]
    db.close()
    return rows
  })
  expect(instants.length).toBeLessThan(2)
  return instants[0] === undefined ? undefined : Math.round(instants[0] * 1000)
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it was fulfilled')
}

/** The lease of a lock that must be free. */
export async function held(acquiring: Promise<Lease | undefined>): Promise<Lease> {
  const lease = await acquiring
  if (!lease) throw new Error('the lock is held by others')
  return lease
}

function never(options: CacheOptions | undefined): CacheOptions {
  return { evictionPolicy: 'none', ...options }
}

function closed<T extends DiskCache>(cache: T): T {
  onTestFinished(() => cache.close())
  return cache
}

function databasesOf(directory: string): ReturnType<typeof rawDatabase>[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return names.filter(name => basename(name) === 'cache.db').map(name => rawDatabase(join(directory, dirname(name))))
}
