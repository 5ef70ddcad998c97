import { join } from 'node:path'
import { Cache } from './cache.js'
import { CacheHandle } from './cache-handle.js'
import { resolveOptions } from './cache-options.js'
import { CacheVerbs } from './cache-verbs.js'
import { handleOf } from './handle-of.js'
import { kindOf } from './option-names.js'
import type { CacheOptions, FanoutCacheOptions } from './options.js'

/** Options that a sub-cache takes over. */
const INHERITED = ['clock', 'codec', 'readonly']

/**
 * A cache over several databases, so that processes which write different keys seldom meet. It never rejects because
 * of a lock: what it cannot do in time it refuses, with `false` or `undefined` and the event `refused`.
 *
 * @example
 * await using cache = new FanoutCache('/var/cache/app', { sizeLimit: 10 * 2 ** 30 })
 * await cache.set('greeting', 'hello', { ttl: '1h' })
 */
export class FanoutCache extends CacheVerbs {
  readonly #subcaches = new Map<string, Cache>()

  /**
   * @param directory made when missing; without one the cache lives in a temporary directory until it is closed
   * @throws TypeError for unknown options and wrong types, RangeError for values out of range, and for options that
   *   differ from those of an open cache of this process on the same directory
   */
  constructor(directory?: string, options?: FanoutCacheOptions) {
    super(new CacheHandle('FanoutCache', directory, resolveOptions('FanoutCache', options)))
  }

  /**
   * A `Cache` below this directory, in DiskCache's place for it. `/` in the name makes directories. Clock and codec are
   * those of this cache unless given; it is closed with this cache.
   */
  cache(name: string, options: CacheOptions = {}): Cache {
    const known = this.#subcaches.get(name)
    if (known) return known
    const inherited = Object.fromEntries(INHERITED.flatMap(option => this.#given(option)))
    const cache = new Cache(join(this.directory, 'cache', ...partsOf(name)), { ...inherited, ...options })
    this.#subcaches.set(name, cache)
    return cache
  }

  #given(option: string): [string, unknown][] {
    const { given } = handleOf(this).options
    return given.has(option) ? [[option, given.get(option)]] : []
  }

  override async close(): Promise<void> {
    const caches = [...this.#subcaches.values()]
    this.#subcaches.clear()
    await Promise.all(caches.map(cache => cache.close()))
    await super.close()
  }
}

function partsOf(name: string): string[] {
  if (typeof name !== 'string' || name === '')
    throw new TypeError(`the name of a cache must be a string, got ${kindOf(name)}`)
  const parts = name.split('/').filter(part => part !== '')
  const bad = parts.find(part => part === '.' || part === '..' || part.includes('\\') || part.includes('\0'))
  if (bad !== undefined || parts.length === 0)
    throw new RangeError(`the name of a cache must not lead elsewhere, got '${name}'`)
  return parts
}
