import type { CacheVerbs } from './cache-verbs.js'
import { handleOf } from './handle-of.js'
import type { CacheOptions } from './options.js'

const INHERITED = ['clock', 'codec', 'readonly']
const INHERITED_BY_MODELS = [...INHERITED, 'defaultTtl', 'maxItems', 'sizeLimit', 'onCorrupt']
const INHERITED_MODES = ['disk.directoryMode', 'disk.fileMode']
/** Whoever asks that his data outlast a power failure means collections and models too, which cannot be told so. */
const INHERITED_PRAGMAS = ['sqlite.synchronous']

/** The options of a cache or collection below the directory of another one: its own, and those that it inherits. */
export function withInherited<Options extends object>(cache: CacheVerbs, own: Options): Options {
  return { ...givenTo(cache, INHERITED), ...own, ...partsOf(cache, own) }
}

/**
 * The options of the cache of a model with limits of its own. What a model cannot say, or does not, is as for the cache
 * it is used on, but for the memory: its limit would count once more for each model.
 */
export function modelOptions(cache: CacheVerbs, limits: CacheOptions): CacheOptions {
  return { ...givenTo(cache, INHERITED_BY_MODELS), ...limits, ...partsOf(cache, limits) }
}

/** The options of files and of SQLite. */
function partsOf(cache: CacheVerbs, { disk, sqlite }: CacheOptions): Pick<CacheOptions, 'disk' | 'sqlite'> {
  return {
    disk: { ...givenTo(cache, INHERITED_MODES), ...disk },
    sqlite: { ...givenTo(cache, INHERITED_PRAGMAS), ...sqlite },
  }
}

function givenTo(cache: CacheVerbs, names: readonly string[]): Record<string, never> {
  const { given } = handleOf(cache).options
  const present = names.filter(name => given.has(name))
  return Object.fromEntries(present.map(name => [name.replace(/^(disk|sqlite)\./, ''), given.get(name) as never]))
}
