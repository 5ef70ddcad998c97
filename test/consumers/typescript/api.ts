import { Readable } from 'node:stream'
import type { Application, Request } from 'express'
import {
  Averager,
  BoundedSemaphore,
  barrier,
  Cache,
  type CacheDiagnostics,
  type CacheEvents,
  type CacheOptions,
  type Checking,
  type Codec,
  type CommitMessage,
  type Compression,
  type ComputeContext,
  compressed,
  Deque,
  type DiskCache,
  type Expiring,
  type Factory,
  FanoutCache,
  type FileRange,
  type Finding,
  Index,
  type Info,
  type Item,
  type JsonCodec,
  jsonCodec,
  type Key,
  type Lease,
  Lock,
  memoize,
  memoizeStampede,
  type PendingLimits,
  type PlainData,
  pickleCodec,
  type RefusedEvent,
  RLock,
  type Settings,
  type StatsOptions,
  type StoredFile,
  type Storing,
  structuredCodec,
  type Tag,
  type Transacting,
  throttle,
} from 'fanout-cache'
import { responseCache, sendFile } from 'fanout-cache/express'

/** Every name of the package as a strict program uses it. Nothing here is called: that it compiles is the test. */
type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

function is<Actual, Expected>(_same: Equal<Actual, Expected>): void {}

interface Job {
  page: number
  note?: string
}

export async function reading(cache: DiskCache, signal: AbortSignal, bytes: Uint8Array): Promise<void> {
  const waiting = { retry: true, timeout: '5s', signal }
  const text = await cache.get<string>('key', waiting)
  is<typeof text, string | undefined>(true)
  const anything = await cache.get(['key', 1, null, true, 5n, bytes, { deep: ['x'] }])
  is<typeof anything, unknown>(true)
  const item = await cache.getItem<Job>('key')
  is<typeof item, Item<Job> | undefined>(true)
  if (item) {
    is<typeof item.value, Job>(true)
    is<typeof item.expiresAt, number | undefined>(true)
    is<typeof item.tag, Tag | undefined>(true)
    is<typeof item.tags, readonly string[]>(true)
    is<typeof item.path, string | undefined>(true)
    is<typeof item.meta, PlainData | undefined>(true)
    is<typeof item.version, string>(true)
    const figures: number = item.storedAt + item.accessedAt + item.accessCount + item.size
    console.log(figures, item.key satisfies Key)
  }
  is<Awaited<ReturnType<typeof cache.info>>, Info | undefined>(true)
  const many = await cache.getMany<number>(new Set(['a', 'b']), { timeout: 5 })
  is<typeof many, (number | undefined)[]>(true)
  is<Awaited<ReturnType<typeof cache.has>>, boolean>(true)
  const file: StoredFile | undefined = await cache.read('key', { signal })
  const range: FileRange = { start: 0, end: 9 }
  const stream: Readable | undefined = file?.stream(range)
  const content: Buffer | undefined = await file?.bytes()
  await file?.close()
  console.log(stream, content)
  for await (const key of cache.keys({ prefix: 'a', tag: 5, reverse: true, includeExpired: true })) {
    is<typeof key, Key>(true)
  }
  for await (const [key, value] of cache.entries<Job>()) console.log(key satisfies Key, value.page)
}

export async function writing(cache: DiskCache, signal: AbortSignal): Promise<void> {
  const storing: Storing = { ttl: '5m', tag: 5n, tags: ['a'], file: true, meta: { type: 'x', sizes: [1, null] } }
  const stored: boolean = await cache.set('key', { any: new Map() }, { ...storing, retry: false, signal })
  await cache.set('key', Readable.from(['a']), { ttl: null })
  await cache.set('key', new Blob(['a']), { ttl: Number.POSITIVE_INFINITY })
  await cache.add('key', new ReadableStream(), { ttl: 5 })
  const all: boolean[] = await cache.setMany([
    ['a', 1],
    ['b', 2, { ttl: 5 }],
    [['x', 1], null],
  ])
  await cache.setMany(new Map([['a', 1]]), { timeout: '1s' })
  await cache.setMany(Object.entries({ a: 1 }))
  const numbers: [string, number][] = [['a', 1]]
  await cache.setMany(numbers.map(([key, value]) => [key, value, { ttl: '5m' }] as const))
  await cache.touch('key', { ttl: null, meta: { a: 1 }, ifVersion: 'v', retry: true, timeout: 5, signal })
  const gone: boolean[] = [await cache.delete('a', { signal }), ...(await cache.deleteMany(['a', 1]))]
  is<Awaited<ReturnType<typeof cache.pop<string>>>, string | undefined>(true)
  const popped: Item<Job> | undefined = await cache.popItem<Job>('key')
  const one = await cache.incr('n', 5, { default: null, ttl: '5m', tag: 't' })
  is<typeof one, number>(true)
  const big = await cache.decr('n', 5n, { default: 3n })
  is<typeof big, bigint>(true)
  console.log(stored, all, gone, popped)
}

export async function keeping(cache: DiskCache, signal: AbortSignal): Promise<void> {
  const figures: number[] = [
    await cache.count(),
    await cache.volume(),
    await cache.expire({ now: 5, retry: true }),
    await cache.evict(5n, { timeout: 5 }),
    await cache.cull(),
    await cache.clear({ signal }),
  ]
  const findings: Finding[] = await cache.check({ fix: true, timeout: 5 })
  const missing = findings.filter(({ kind, fixed }) => kind === 'missing-file' && !fixed).map(({ path }) => path)
  is<typeof missing, (string | undefined)[]>(true)
  const { hits, misses, evictions, timeouts, count, volume, memory } = await cache.stats({ reset: true })
  const sum: number = hits + misses + evictions + timeouts + count + volume + (memory?.bytes ?? 0)
  await cache.createTagIndex()
  await cache.dropTagIndex()
  const settings: Settings = await cache.settings()
  const change: Partial<Settings> = { sizeLimit: 5 }
  await cache.configure({ ...settings, ...change, disk: { unlinkGrace: '5s' } })
  await cache.configure(change)
  const chosen: readonly [Expiring, Checking, StatsOptions, PendingLimits] = [
    { now: 5 },
    { fix: true },
    {},
    { count: 5 },
  ]
  // @ts-expect-error a count is a number
  const limits: PendingLimits = { count: '5' }
  console.log(figures, sum, chosen, limits)
}

export async function together(cache: Cache, fanout: FanoutCache, signal: AbortSignal): Promise<void> {
  const read = await fanout.transact(tx => tx.get<Job>('a')?.page, { keys: ['a'], retry: true, timeout: 5, signal })
  is<typeof read, number | undefined>(true)
  const pulled = await cache.transact(tx => tx.pull<string>()?.value)
  is<typeof pulled, string | undefined>(true)
  const nested = await cache.transact(tx => tx.transact(inner => inner.incr('n', 1n)))
  is<typeof nested, bigint>(true)
  // @ts-expect-error a FanoutCache has no queue
  await fanout.transact(tx => tx.push('a'))
  const locked: Transacting = { keys: ['a'], timeout: '1s' }
  await cache.transact(() => undefined, locked)
  is<CacheEvents['refused'], RefusedEvent>(true)
  is<CacheDiagnostics['fanout-cache:commit'], CommitMessage>(true)
  const heard = (event: CacheEvents['evict']): void => console.log(event.key, event.size, event.reason)
  is<ReturnType<typeof cache.on>, Cache>(true)
  cache.on('evict', heard).once('evict', heard).off('evict', heard)
  const chained: FanoutCache = fanout
    .on('refused', ({ key, reason, error }) => console.log(key satisfies Key | undefined, reason === 'pending', error))
    .on('timeout', ({ key, directory }) => console.log(key, directory.length))
    .on('error', error => console.log(error.message))
    .on('quarantine', ({ directory, path, error }) => console.log(directory, path, error.message))
  // @ts-expect-error there is no such event
  cache.on('hit', () => undefined)
  // @ts-expect-error the payload is an object
  cache.on('evict', (key: string) => key)
  console.log(chained)
}

export async function computing(cache: Cache, any: DiskCache): Promise<void> {
  const plain = await cache.getOrSet('key', async () => ({ a: 1 }), { ttl: '5m', staleFor: '1h', beta: 1, lease: 5000 })
  is<typeof plain, { a: number }>(true)
  const told = await any.getOrSet('key', async ({ ttl, tag, skip, signal }) => {
    ttl('5m')
    tag('x')
    if (signal.aborted) skip()
    return { a: 1 }
  })
  is<typeof told, { a: number }>(true)
  const spaced = await cache.namespace('a').getOrSet('key', ({ signal }) => String(signal.aborted))
  is<typeof spaced, string>(true)
  const renewed = await cache.getOrSet<number>('key', ({ previous }) => {
    is<typeof previous, number | undefined>(true)
    return (previous ?? 0) + 1
  })
  is<typeof renewed, number>(true)
  const annotated = await cache.getOrSet('key', ({ previous }: ComputeContext<Job>) => previous ?? { page: 1 })
  is<typeof annotated, Job>(true)
  // @ts-expect-error what is computed is no text
  const wrong: string = await cache.getOrSet('key', ({ signal }) => signal.aborted)
  const factory: Factory<Job> = ({ previous }) => previous ?? { page: 1 }
  const made = await any.getOrSet('key', factory)
  is<typeof made, Job>(true)
  // A cache of one's own has the verb as it is documented.
  const own: Pick<DiskCache, 'getOrSet'> = {
    getOrSet: <T>(_key: Key, factory: (context: ComputeContext<T>) => T | Promise<T>) =>
      any.getOrSet<T>('own', factory),
  }
  console.log(wrong, own)
}

export async function classes(): Promise<void> {
  const level: JsonCodec = jsonCodec.level(3)
  const compression: Compression = { codec: pickleCodec, quality: 5, minSize: 5, maxSize: 5 }
  const codecs: Codec[] = [structuredCodec, jsonCodec, pickleCodec, level, compressed(compression)]
  const options: CacheOptions = {
    ...{ timeout: '1m', defaultTtl: '5m', readonly: true, onCorrupt: 'quarantine', clock: { now: () => 5 } },
    ...{
      sizeLimit: 1,
      maxItems: 5,
      cullLimit: 0,
      statistics: true,
      tagIndex: true,
      maxPending: { count: 5, bytes: 5 },
    },
    codec: codecs[0] ?? jsonCodec,
    evictionPolicy: 'least-frequently-used',
    disk: { minFileSize: 5, directoryMode: 0o750, fileMode: 0o640, unlinkGrace: '5s' },
    sqlite: { cacheSize: 5, mmapSize: 5, journalMode: 'wal', synchronous: 1, autoVacuum: 1 },
    memory: { maxItems: 5, maxBytes: 5, ttl: '5s', mode: 'frozen' },
  }
  const cache: Cache = await new Cache('directory', options).open()
  const fanout: FanoutCache = await new FanoutCache('directory', { ...options, shards: 8 }).open()
  const both: DiskCache[] = [cache, fanout, new Cache(), new FanoutCache()]
  const parts: [Cache, Deque, Index] = [fanout.cache('a', { maxItems: 5 }), fanout.deque('a'), fanout.index('a')]
  const key: Key = await cache.push('value', { prefix: 'a', side: 'front', ttl: 5 })
  const pulled: Item<string> | undefined = await cache.pull<string>({ prefix: 'a', side: 'back', timeout: 5 })
  const peeked = [await cache.peek<string>(), await cache.peekItem<string>({ last: false })]
  is<typeof peeked, (Item<string> | undefined)[]>(true)
  for await (const sorted of cache.sortedKeys({ reverse: true })) is<typeof sorted, Key>(true)
  await cache.close()
  await fanout[Symbol.asyncDispose]()
  console.log(both, parts, key, pulled)
  // @ts-expect-error a Cache is one database
  new Cache('directory', { shards: 5 })
  // @ts-expect-error there is no such policy
  new Cache('directory', { evictionPolicy: 'lru' })
}

export async function collections(cache: Cache, fanout: FanoutCache): Promise<void> {
  const jobs = new Deque<Job>('directory', { maxLength: 5, codec: jsonCodec })
  await jobs.append({ page: 1 })
  await jobs.extendLeft([{ page: 1 }])
  const ends = [await jobs.popLeft(), await jobs.pop(), await jobs.peek(), await jobs.at(-1)]
  is<typeof ends, (Job | undefined)[]>(true)
  const figures: number[] = [jobs.maxLength, await jobs.length(), await jobs.count({ page: 1 }), await jobs.clear()]
  const taken = await jobs.take({ lease: '30s' })
  is<Awaited<ReturnType<NonNullable<typeof taken>['done']>>, boolean>(true)
  for await (const job of jobs.values()) is<typeof job, Job>(true)
  const first = await jobs.transact(tx => tx.popLeft())
  is<typeof first, Job | undefined>(true)
  // @ts-expect-error a page is a number
  await jobs.append({ page: '1' })
  const mine: Deque<Job>[] = [Deque.from<Job>(cache, { maxLength: 4 }), fanout.deque<Job>('jobs', { maxLength: 4 })]
  // @ts-expect-error a FanoutCache is no queue
  Deque.from(fanout)

  const index: Index<Job> = Index.from(cache)
  const found: Job = await index.setDefault('key', { page: 1 })
  const last: Item<Job> | undefined = await index.popItem({ last: false })
  for await (const [key, job] of index) console.log(key satisfies Key, job.page)
  const page = await index.transact(tx => tx.get('key')?.page)
  is<typeof page, number | undefined>(true)
  // @ts-expect-error 5 is no job
  await fanout.index<Job>('jobs').set('key', 5)
  console.log(figures, mine, found, last)
}

export async function recipes(cache: Cache, fanout: FanoutCache, signal: AbortSignal): Promise<void> {
  const jobOf = async (id: number, kind?: 'a' | 'b'): Promise<Job> => ({ page: id, note: kind ?? '' })
  const known = memoize(cache, jobOf, { name: 'x', ttl: '5m', tag: 'x', typed: true, ignore: [1] })
  const pages: number[] = [(await known(1)).page, (await known.original(1, 'b')).page]
  // @ts-expect-error there are two kinds
  void known(1, 'c')
  is<ReturnType<typeof known>, Promise<Job>>(true)
  const keys: Key[] = [known.cacheKey(1, 'b'), memoizeStampede(fanout, jobOf, { ttl: '5m', beta: 1 }).cacheKey(1)]
  const lease: Lease = await new Lock(cache, 'key', { ttl: '30s' }).acquire({ timeout: '5s', signal })
  const again: Lease | undefined = await new RLock(fanout, ['key', 1]).tryAcquire()
  const answers: boolean[] = [await lease.extend(), await lease.release(), await new Lock(cache, 'key').locked()]
  const place: Lease = await new BoundedSemaphore(cache, 'key', { value: 3 }).acquire()
  const mean: number | undefined = await new Averager(fanout, 'key').get()
  const slow: (url: string) => Promise<number> = throttle(cache, (url: string) => url.length, { count: 5, per: '1s' })
  const apart: (id: number) => Promise<Job> = barrier(cache, jobOf, { lock: RLock })
  console.log(pages, keys, lease.token, again, answers, place, mean, slow, apart)
  // @ts-expect-error a name is no cache
  new Lock('cache', 'key')
  // @ts-expect-error a lock has a key
  new Lock(cache)
}

export function handlers(app: Application, cache: Cache): void {
  app.use(responseCache(cache, { bypass: request => request.path === '/live' }))
  app.get('/', responseCache(cache, { key: (request: Request) => request.path, tags: (r: Request) => [r.hostname] }))
  // What a handler knows of its route it still knows below a cache.
  const cached = [responseCache(cache), sendFile(cache, { key: request => `user:${request.params['id']}` })]
  app.get('/users/:id', ...cached, (request, response) => {
    is<typeof request.params.id, string>(true)
    response.send(request.params.id)
  })
  app.get('/own/:id', responseCache(cache, { key: (request: Request<{ id: string }>) => request.params.id }))
}

/** What must not compile, and would if the types were lost. */
export function misuse(cache: Cache, fanout: FanoutCache): void {
  // @ts-expect-error undefined is no key
  void cache.get(undefined)
  // @ts-expect-error nor is a Date
  void cache.get(new Date())
  // @ts-expect-error there is no such option
  void cache.set('key', 1, { expire: 5 })
  // @ts-expect-error tags are many
  void cache.set('key', 1, { tags: 'a' })
  // @ts-expect-error metadata is plain data
  void cache.set('key', 1, { meta: new Date() })
  // @ts-expect-error a value is missing
  void cache.set('key')
  // @ts-expect-error what is touched is missing
  void cache.touch('key')
  // @ts-expect-error an entry has a value
  void cache.setMany([['a']])
  // @ts-expect-error a timeout is not stored
  void cache.configure({ timeout: 5 })
  // @ts-expect-error sides are front and back
  void cache.push('a', { side: 'left' })
  // @ts-expect-error a FanoutCache has no queue
  void fanout.push('a')
  // @ts-expect-error a Cache has no caches below it
  cache.cache('a')
  // @ts-expect-error a directory is not changed
  cache.directory = 'elsewhere'
}
