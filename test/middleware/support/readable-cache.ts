import { type CacheOptions, FanoutCache, type Key } from 'fanout-cache'
import { onTestFinished } from 'vitest'
import { openDirectory } from './nginx.js'

const READABLE = { directoryMode: 0o755, fileMode: 0o644 }

export interface ReadableCache {
  readonly directory: string
  readonly cache: FanoutCache
  /** What the app was asked: the URL and the fields of each request that came to it. */
  readonly seen: string[]
  /** The path of a request, without its first `/`. */
  key(request: { readonly originalUrl?: string; readonly headers: object }): Key
}

/** A cache whose files a web server may read, and the key of `sendFile` for it. */
export async function readableCache(disk: CacheOptions['disk'] = READABLE): Promise<ReadableCache> {
  const directory = openDirectory()
  const cache = new FanoutCache(directory, { disk })
  await cache.open()
  onTestFinished(() => cache.close())
  const seen: string[] = []
  const key: ReadableCache['key'] = request => {
    seen.push(`${request.originalUrl} ${JSON.stringify(request.headers)}`)
    return decodeURIComponent(request.originalUrl?.split('?')[0]?.slice(1) ?? '')
  }
  return { directory, cache, seen, key }
}
