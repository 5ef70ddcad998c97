import type { CacheVerbs } from './cache-verbs.js'
import { handleOf } from './handle-of.js'
import type { CacheOptions } from './options.js'

const INHERITED = ['clock', 'codec', 'readonly']
const INHERITED_BY_MODELS = [...INHERITED, 'defaultTtl', 'maxItems', 'sizeLimit', 'onCorrupt']
const INHERITED_MODES = ['disk.directoryMode', 'disk.fileMode']

/** The options that a cache or collection below the directory of another one inherits. */
export function inheritedOptions(cache: CacheVerbs): Pick<CacheOptions, 'clock' | 'codec' | 'readonly'> {
  return givenTo(cache, INHERITED)
}

/**
 * The options of the cache of a model with limits of its own. What a model cannot say, or does not, is as for the cache
 * it is used on, but for the memory: its limit would count once more for each model.
 */
export function modelOptions(cache: CacheVerbs, limits: CacheOptions): CacheOptions {
  const disk = { ...givenTo(cache, INHERITED_MODES), ...limits.disk }
  return { ...givenTo(cache, INHERITED_BY_MODELS), ...limits, disk }
}

function givenTo(cache: CacheVerbs, names: readonly string[]): Record<string, never> {
  const { given } = handleOf(cache).options
  const present = names.filter(name => given.has(name))
  return Object.fromEntries(present.map(name => [name.replace('disk.', ''), given.get(name) as never]))
}
