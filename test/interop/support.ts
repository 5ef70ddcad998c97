import { Cache, type CacheOptions, FanoutCache } from 'fanout-cache'
import { describe, expect, onTestFinished } from 'vitest'
import { peer } from '../helpers/peers.js'
import { type Python, startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

/** `describe` of what needs Python. */
export const withPython = describe.skipIf(!peer('python'))

/** A cache of the running test; it is closed before its directory is removed. */
export function openCache(directory: string, options?: CacheOptions): Cache {
  const cache = new Cache(directory, options)
  onTestFinished(() => cache.close())
  return cache
}

/** The same in eight shards, with time enough to wait for Python. */
export function openFanout(directory: string, options?: CacheOptions): FanoutCache {
  const cache = new FanoutCache(directory, { shards: 8, timeout: '1m', ...options })
  onTestFinished(() => cache.close())
  return cache
}

/** What both languages can open one directory as. */
export const KINDS = [
  { kind: 'Cache', open: openCache, inPython: 'Cache(directory)' },
  { kind: 'FanoutCache', open: openFanout, inPython: 'FanoutCache(directory, shards=8, timeout=60)' },
] as const

/** Opens the directory in Python as `cache`. */
export async function openInPython(python: Python, directory: string, how = 'Cache(directory)'): Promise<void> {
  await python.call(`keep(cache=${how})`, { directory })
}

/** A new directory, opened by both languages. */
export async function openShared<C extends Cache | FanoutCache>(
  open: (directory: string) => C,
  inPython?: string,
): Promise<{ readonly cache: C; readonly python: Python; readonly directory: string }> {
  const directory = temporaryDirectory()
  const python = startPython()
  const cache = open(directory)
  await cache.open()
  await openInPython(python, directory, inPython)
  return { cache, python, directory }
}

/** Neither side finds anything to complain of. Python's `cache` must be open. */
export async function expectClean(cache: Cache | FanoutCache, python: Python): Promise<void> {
  expect(await cache.check()).toEqual([])
  expect(await python.call('found(cache)')).toEqual([])
}

/** Rows of a statement on one database, run by Python beside all caches. */
export async function rows<T = unknown[]>(
  python: Python,
  directory: string,
  statement: string,
  ...parameters: unknown[]
): Promise<T[]> {
  return python.call<T[]>('sql(directory, statement, *parameters)', { directory, statement, parameters })
}
