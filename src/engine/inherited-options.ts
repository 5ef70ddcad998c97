import type { CacheVerbs } from './cache-verbs.js'
import { handleOf } from './handle-of.js'
import type { CacheOptions } from './options.js'

const INHERITED = ['clock', 'codec', 'readonly']
const INHERITED_BY_MODELS = [...INHERITED, 'defaultTtl', 'maxItems', 'sizeLimit', 'onCorrupt']
const INHERITED_MODES = ['disk.directoryMode', 'disk.fileMode']
/** Whoever asks that his data outlast a power failure means collections and models too, which cannot be told so. */
const INHERITED_PRAGMAS = ['sqlite.synchronous']

/** The options of a cache or collection below the directory of another one: its own, and those that it inherits. */
export function inheritedOptions(cache: CacheVerbs, own: CacheOptions = {}): CacheOptions {
  return { ...givenTo(cache, INHERITED), ...own, ...pragmas(cache, own) }
}

/**
 * The options of the cache of a model with limits of its own. What a model cannot say, or does not, is as for the cache
 * it is used on, but for the memory: its limit would count once more for each model.
 */
export function modelOptions(cache: CacheVerbs, limits: CacheOptions): CacheOptions {
  const disk = { ...givenTo(cache, INHERITED_MODES), ...limits.disk }
  return { ...givenTo(cache, INHERITED_BY_MODELS), ...limits, disk, ...pragmas(cache, limits) }
}

function pragmas(cache: CacheVerbs, { sqlite }: CacheOptions): Pick<CacheOptions, 'sqlite'> {
  const inherited = givenTo(cache, INHERITED_PRAGMAS)
  return Object.keys(inherited).length === 0 ? {} : { sqlite: { ...inherited, ...sqlite } }
}

function givenTo(cache: CacheVerbs, names: readonly string[]): Record<string, never> {
  const { given } = handleOf(cache).options
  const present = names.filter(name => given.has(name))
  return Object.fromEntries(present.map(name => [name.replace(/^(disk|sqlite)\./, ''), given.get(name) as never]))
}
