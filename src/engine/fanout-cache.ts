import { join } from 'node:path'
import { Cache } from './cache.js'
import { CacheHandle } from './cache-handle.js'
import { resolveOptions } from './cache-options.js'
import { CacheViews, type OpenModel } from './cache-views.js'
import type { DequeOptions } from './collections/contract.js'
import { Deque } from './collections/deque.js'
import { Index } from './collections/persistent-index.js'
import { handleOf } from './handle-of.js'
import { modelOptions, withInherited } from './inherited-options.js'
import { checkOptionNames, checkOptionsObject, kindOf } from './option-names.js'
import type { CacheOptions, FanoutCacheOptions } from './options.js'
import { expectedShards } from './shards/layout.js'
import { shareOf } from './shards/shares.js'

/**
 * A cache over several databases, so that processes that write different keys seldom wait for each other. Its verbs do
 * not reject because of a lock: a write that cannot be made in time is refused, with `false` or `undefined` and the
 * event `refused`.
 *
 * @example
 * await using cache = new FanoutCache('/var/cache/app', { sizeLimit: 10 * 2 ** 30 })
 * await cache.set('greeting', 'hello', { ttl: '1h' })
 */
export class FanoutCache extends CacheViews {
  readonly #subcaches = new Map<string, Cache>()
  readonly #deques = new Map<string, Deque>()
  readonly #indexes = new Map<string, Index>()

  /**
   * @param directory is created when missing; without one the cache lives in a temporary directory until it is closed
   * @throws TypeError for unknown options and wrong types; RangeError for values out of range, and for options that
   *   differ from those of an open cache of this process on the same directory
   */
  constructor(directory?: string | URL, options?: FanoutCacheOptions) {
    const resolved = resolveOptions('FanoutCache', options)
    super(new CacheHandle('FanoutCache', directory, resolved), openModel)
    handleOf(this).endWith(() => this.#closeParts())
    shareOf(resolved.settings, resolved.shards ?? expectedShards(this.directory), 0)
  }

  /**
   * Returns the `Cache` of a name below this directory, at the place that DiskCache uses. `/` in the name creates
   * nested directories. Clock, codec, `readonly`, `sqlite.synchronous` and the modes of files and directories are
   * inherited unless given. It is closed with this cache.
   *
   * @throws TypeError for unknown options and wrong types; RangeError for values out of range, for a name that leads
   *   out of the directory, and when the cache of this name was created with other options
   */
  cache(name: string, options: CacheOptions = {}): Cache {
    checkOptionsObject(options, 'cache')
    const known = this.#subcaches.get(name)
    if (known && Object.keys(options).length === 0) return known
    const directory = join(this.directory, 'cache', ...partsOf(name, 'cache'))
    const cache = new Cache(directory, withInherited(this, options))
    if (known) return sameOptions(name, known, cache)
    this.#add(cache)
    this.#subcaches.set(name, cache)
    return cache
  }

  /**
   * Returns the `Deque` of a name below this directory, at the place that DiskCache uses. Clock, codec, `readonly`,
   * `sqlite.synchronous` and the modes of files and directories are inherited. It is closed with this cache.
   *
   * @throws TypeError for unknown options; RangeError for a name that leads out of the directory, and when the deque of
   *   this name has another `maxLength`
   */
  deque<T = unknown>(name: string, options: Pick<DequeOptions, 'maxLength'> = {}): Deque<T> {
    checkOptionsObject(options, 'deque')
    checkOptionNames(options, new Set(['maxLength']), 'deque')
    const known = this.#deques.get(name)
    if (known) {
      const { maxLength = known.maxLength } = options
      if (maxLength === known.maxLength) return known as Deque<T>
      throw new RangeError(`the deque '${name}' has the maxLength ${known.maxLength}: use setMaxLength to change it`)
    }
    const directory = join(this.directory, 'deque', ...partsOf(name, 'deque'))
    const deque = new Deque<T>(directory, withInherited(this, options))
    this.#add(deque.cache)
    this.#deques.set(name, deque as Deque)
    return deque
  }

  /**
   * Returns the `Index` of a name below this directory, at the place that DiskCache uses. Clock, codec, `readonly`,
   * `sqlite.synchronous` and the modes of files and directories are inherited. It is closed with this cache.
   *
   * @throws RangeError for a name that leads out of the directory
   */
  index<V = unknown>(name: string): Index<V> {
    const known = this.#indexes.get(name)
    if (known) return known as Index<V>
    const index = new Index<V>(join(this.directory, 'index', ...partsOf(name, 'index')), withInherited(this, {}))
    this.#add(index.cache)
    this.#indexes.set(name, index as Index)
    return index
  }

  /** What lies below a temporary directory is gone with it. */
  #add(part: Cache): void {
    handleOf(part).host = handleOf(this)
  }

  async #closeParts(): Promise<void> {
    const parts = [...this.#subcaches.values(), ...this.#deques.values(), ...this.#indexes.values()]
    for (const names of [this.#subcaches, this.#deques, this.#indexes]) names.clear()
    await Promise.all(parts.map(part => part.close()))
  }
}

const openModel: OpenModel = (host, name, limits) =>
  (host as FanoutCache).cache(`models/${name}`, modelOptions(host, limits))

/** Compares a second request for a sub-cache with the first. @throws RangeError that names the options that differ */
function sameOptions(name: string, known: Cache, further: Cache): Cache {
  const [had, wanted] = [handleOf(known), handleOf(further)].map(({ options }) => options) as [Resolved, Resolved]
  // An open cache was compared with the settings in force, which may equal options that were not given.
  const given = handleOf(known).isOpen ? [] : [...wanted.given]
  const differing = given.filter(([option, value]) => value !== had.given.get(option)).map(([option]) => option)
  const { memory } = wanted
  if (memory && (!had.memory || memory.given.some(option => memory[option] !== had.memory?.[option]))) {
    differing.push('memory')
  }
  if (differing.length === 0) return known
  throw new RangeError(`the cache '${name}' was made with other options: ${differing.join(', ')}`)
}

type Resolved = ReturnType<typeof resolveOptions>

function partsOf(name: string, kind: 'cache' | 'deque' | 'index'): string[] {
  if (typeof name !== 'string' || name === '')
    throw new TypeError(
      `the name of ${articleOf(kind)} ${kind} must be a string that is not empty, got ${kindOf(name)}`,
    )
  const parts = name.split('/').filter(part => part !== '')
  const bad = parts.find(part => part === '.' || part === '..' || part.includes('\\') || part.includes('\0'))
  if (bad !== undefined || parts.length === 0)
    throw new RangeError(`the name of ${articleOf(kind)} ${kind} must not lead elsewhere, got '${name}'`)
  return parts
}

function articleOf(kind: string): string {
  return kind === 'index' ? 'an' : 'a'
}
