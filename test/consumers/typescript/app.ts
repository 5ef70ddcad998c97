import { strictEqual } from 'node:assert/strict'
import { Cache, type CacheDiagnostics, type DiskCache, defineModel, FanoutCache, type Namespace } from 'fanout-cache'
import { type DiskStore, diskStore } from 'fanout-cache/cache-manager'
import { responseCache, sendFile } from 'fanout-cache/express'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv'
import type { CacheModule, CacheModuleOptions } from 'fanout-cache/nest'
import { type Instrumenting, instrument } from 'fanout-cache/opentelemetry'
import { collectMetrics } from 'fanout-cache/prom-client'
import type { Keyv } from 'keyv'
import { register } from 'prom-client'
import { z } from 'zod'

interface User {
  name: string
}

async function main(directory: string): Promise<void> {
  const cache = new Cache(directory, { timeout: '1m' })
  const stored: boolean = await cache.set(['user', 1], { name: 'Ann' }, { ttl: '5m', tag: 'users' })
  strictEqual(stored, true)
  const user: User | undefined = await cache.get<User>(['user', 1])
  strictEqual(user?.name, 'Ann')
  const closed: undefined | void = await cache.close()
  strictEqual(closed, undefined)
  console.log('ok')
}

const User = defineModel({ name: 'user', version: 1, schema: z.object({ name: z.string() }) })

/** Never called: the declarations of the doors, as those who use them see them. */
export async function doors(directory: string, module: typeof CacheModule): Promise<void> {
  const cache = new FanoutCache(directory, { memory: { mode: 'frozen' } })
  const space: Namespace = cache.namespace('app', { version: 2 })
  const any: DiskCache = space
  const user: { name: string } | undefined = await space.model(User).get('ann')
  // @ts-expect-error a user has a name
  await space.model(User).set('ann', { age: 1 })
  const keyv: Keyv<number> = createKeyv<number>(any, { ttl: '5m' })
  const store: DiskStore = diskStore({ cache: space, ttl: '5m' })
  const adapter = new KeyvDiskStore({ directory, memory: {} })
  const options: CacheModuleOptions = { store: space, ttl: '5m' }
  module.register(options)
  // @ts-expect-error ttl is a duration
  createKeyv({ directory, ttl: true })
  const handlers = [responseCache(cache, { ttl: '5m' }), sendFile(space, { key: () => 'key' })]
  const watched: Instrumenting = instrument(space, { spans: true, attributes: { app: 'shop' } })
  collectMetrics(cache, { register, labels: { app: 'shop' } }).stop()
  // @ts-expect-error a label is a text
  collectMetrics(cache, { labels: { app: 1 } })
  const hear = ({ writes }: CacheDiagnostics['fanout-cache:commit']): number => writes
  console.log(user, keyv, store, adapter, handlers.length, watched, hear)
}

/** Never called: what must not compile, and would if the types were lost. */
export async function misuse(cache: Cache): Promise<void> {
  // @ts-expect-error a time to live is a duration
  await cache.set('key', 1, { ttl: true })
  // @ts-expect-error a value of unknown type is no string
  const text: string = await cache.get('key')
  console.log(text)
}

main(process.argv[2] ?? '')
