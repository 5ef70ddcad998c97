import { Cache, type CacheOptions, type DiskCache, FanoutCache, type Finding } from 'fanout-cache'
import { onTestFinished } from 'vitest'

export type Kind = 'Cache' | 'FanoutCache'

export const KINDS: readonly Kind[] = ['Cache', 'FanoutCache']

/** Few shards, so that a test can damage or lock all of them. */
export const SHARDS = 2

/** A cache of a kind, closed when the test has finished. */
export function cacheOf(kind: Kind, directory: string, options: CacheOptions = {}): DiskCache {
  const cache =
    kind === 'Cache' ? new Cache(directory, options) : new FanoutCache(directory, { shards: SHARDS, ...options })
  onTestFinished(async () => {
    await cache.close()
  })
  return cache
}

/** The options with which a worker script makes the same cache. */
export function optionsOf(kind: Kind, options: CacheOptions = {}): CacheOptions {
  return kind === 'Cache' ? options : ({ shards: SHARDS, ...options } as CacheOptions)
}

/** Directories, relative to that of the cache, which hold a database. */
export function shardsOf(kind: Kind): readonly string[] {
  return kind === 'Cache' ? ['.'] : Array.from({ length: SHARDS }, (_, shard) => String(shard).padStart(3, '0'))
}

/** The kinds of damage that `check` found, sorted. */
export function kindsOf(findings: readonly Finding[]): string[] {
  return findings.map(({ kind }) => kind).sort()
}
