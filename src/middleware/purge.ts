import { checkOptionNames, checkOptionsObject, DoorStore, kindOf } from '../engine/for-doors.js'
import type { DiskCache } from '../engine/index.js'
import { namesOf } from './cache-names.js'
import { decode } from './lookup.js'
import { checkCacheName, type PurgeTarget, parseCacheKey, purgePrefix, purgeUrl } from './policy/cache-key.js'
import { ownKey } from './request-key.js'
import { encodeInline, encodeMeta, isVariantList } from './stored-head.js'
import { removeKeys } from './unsafe.js'

/** Options of `purge`. Give exactly one of `url`, `tag`, `prefix` and `key`. */
export interface PurgeOptions {
  /** Purges the answer of a URL with all variants: `https://host/path?query`, or `/path?query` for all hosts. */
  readonly url?: string | URL | undefined
  /** Purges all answers with a tag and, without `soft`, all other entries of the cache with it. */
  readonly tag?: string | undefined
  /**
   * Purges all answers whose URLs begin with a text: `https://host/path`, or `/path` for all hosts. `/news` includes
   * `/newsletter`.
   */
  readonly prefix?: string | undefined
  /** Purges the answer of a key that the option `key` of `responseCache` returned. */
  readonly key?: string | undefined
  /** Marks answers as stale instead of removing them. They are validated, and may be served stale. @default false */
  readonly soft?: boolean | undefined
  /**
   * The name of the `responseCache`. Tags are purged whatever the name.
   *
   * @default all names that this process has used on the directory, and 'fanout-cache'
   */
  readonly name?: string | undefined
}

const KNOWN: ReadonlySet<string> = new Set<keyof PurgeOptions>(['url', 'tag', 'prefix', 'key', 'soft', 'name'])
const TARGETS = ['url', 'tag', 'prefix', 'key'] as const
type By = (typeof TARGETS)[number]
const PAGE = 200

/**
 * Removes answers, or marks them as stale, for all processes. Answers of handlers that began before are not stored.
 *
 * @returns the number of purged answers
 * @throws TypeError for wrong options; RangeError for a wrong name or key; ReadonlyError when the cache is read-only;
 *   TimeoutError when a lock is not free in time
 */
export async function purge(cache: DiskCache, options: PurgeOptions): Promise<number> {
  checkOptionsObject(options, 'purge')
  checkOptionNames(options, KNOWN, 'purge')
  const given = TARGETS.filter(name => options[name] !== undefined)
  const [by] = given
  if (by === undefined || given.length > 1) {
    throw new TypeError(`purge needs one of ${TARGETS.join(', ')}, got ${given.join(' and ') || 'none'}`)
  }
  const { [by]: target } = options
  const value: unknown = by === 'url' && target instanceof URL ? target.href : target
  if (typeof value !== 'string' || value === '') {
    throw new TypeError(`purge: ${by} must be a string that is not empty, got ${kindOf(value)}`)
  }
  if (options.soft !== undefined && typeof options.soft !== 'boolean') {
    throw new TypeError(`purge: soft must be true or false, got ${kindOf(options.soft)}`)
  }
  const store = new DoorStore(cache, 'purge')
  const names = options.name === undefined ? namesOf(cache) : [checkCacheName(options.name)]
  const job: Job = { store, cache, soft: options.soft === true }
  return store.traced('purge', undefined, () => purgeBy(job, by, value, names))
}

async function purgeBy(job: Job, by: By, value: string, names: readonly string[]): Promise<number> {
  if (by === 'tag') return purgeTag(job, value)
  let count = 0
  for (const name of names) count += await purgeNamed(job, by, value, name)
  return count
}

async function purgeNamed(job: Job, by: Exclude<By, 'tag'>, value: string, name: string): Promise<number> {
  if (by === 'key') return purgeKeys(job, [textKey(value, name)])
  const target = by === 'url' ? purgeUrl(name, value) : purgePrefix(name, value)
  await job.store.open()
  // An absolute URL is a single key, which needs no search.
  if (by === 'url' && parseCacheKey(target.keyPrefix)) return purgeKeys(job, [target.keyPrefix])
  return purgeMatching(job, target)
}

interface Job {
  readonly store: DoorStore
  readonly cache: DiskCache
  readonly soft: boolean
}

async function purgeTag({ store, cache, soft }: Job, tag: string): Promise<number> {
  await store.open()
  await store.stamp({ tags: [tag] })
  if (!soft) return store.evict(tag)
  const keys: string[] = []
  for await (const key of cache.keys({ tag })) if (typeof key === 'string') keys.push(key)
  return markStale(store, keys)
}

async function purgeKeys({ store, soft }: Job, keys: readonly string[]): Promise<number> {
  await store.open()
  if (!soft) return removeKeys(store, keys)
  const variants: string[] = []
  await store.edit(keys, (_key, current) => {
    const seen = decode(current)
    if (seen && isVariantList(seen.head)) variants.push(...seen.head.variants.map(({ k }) => k))
    return undefined
  })
  return markStale(store, [...keys, ...variants], { stamps: true })
}

async function purgeMatching(job: Job, target: PurgeTarget): Promise<number> {
  const { store, cache, soft } = job
  // Flights that began before must not be stored. The keys of a path on all hosts are unknown, so the prefix is
  // stamped.
  await store.stamp({ prefixes: [target.keyPrefix] })
  let count = 0
  let page: string[] = []
  const flush = async (): Promise<void> => {
    count += soft ? await markStale(store, page) : await removeAnswers(store, page)
    page = []
  }
  for await (const key of cache.keys({ prefix: target.keyPrefix })) {
    if (typeof key !== 'string' || !target.matches(key)) continue
    if (page.push(key) >= PAGE) await flush()
  }
  if (page.length > 0) await flush()
  return count
}

async function removeAnswers(store: DoorStore, keys: readonly string[]): Promise<number> {
  let count = 0
  await store.edit(keys, (_key, current) => {
    const seen = decode(current)
    if (seen && !isVariantList(seen.head)) count++
    return seen && 'remove'
  })
  return count
}

/** Marks answers as stale. */
async function markStale(
  store: DoorStore,
  keys: readonly string[],
  options?: { readonly stamps: boolean },
): Promise<number> {
  let count = 0
  const now = store.now()
  await store.edit(
    keys,
    (_key, current) => {
      const seen = decode(current)
      if (!seen || isVariantList(seen.head)) return undefined
      const head = { ...seen.head, u: Math.min(seen.head.u, now), x: Math.min(seen.head.x ?? now, now) }
      const change = seen.body ? { bytes: encodeInline(head, seen.body) } : withMeta(encodeMeta(head))
      if (change) count++
      return change
    },
    options,
  )
  return count
}

function withMeta(meta: string | undefined): { readonly meta: string } | undefined {
  return meta === undefined ? undefined : { meta }
}

function textKey(text: string, name: string): string {
  const key = ownKey(text, name)
  if ('key' in key) return key.key
  throw new RangeError(`purge: key must be a string that the option key could give, got ${kindOf(text)}`)
}
