import type { Readable } from 'node:stream'
import type { Cache, FanoutCache } from 'fanout-cache'
import { diskDriver as bento } from 'fanout-cache/bentocache'
import { cachifiedDisk } from 'fanout-cache/cachified'
import { sendFile } from 'fanout-cache/express'
import { DiskRateLimitStore } from 'fanout-cache/express-rate-limit'
import { diskDriver } from 'fanout-cache/unstorage'

/** Never called: what needs no other package, in an app that has none and names no types. */
export async function alone(directory: string, cache: Cache | FanoutCache): Promise<string> {
  const file = await cache.read('key')
  const stream: Readable | undefined = file?.stream({ start: 0, end: 9 })
  stream?.destroy()
  const stores = [bento(directory), cachifiedDisk(directory), new DiskRateLimitStore(directory), diskDriver(directory)]
  const handler = sendFile(cache, { key: request => request.method })
  const bytes = await file?.bytes()
  return `${stores.length}${handler.name}${bytes?.toString('utf8')}`
}
