import type { CacheVerbs } from './cache-verbs.js'
import { handleOf } from './handle-of.js'
import type { CacheOptions } from './options.js'

const INHERITED = ['clock', 'codec', 'readonly']

/** The options that a cache or collection below the directory of another one inherits. */
export function inheritedOptions(cache: CacheVerbs): Pick<CacheOptions, 'clock' | 'codec' | 'readonly'> {
  const { given } = handleOf(cache).options
  return Object.fromEntries(INHERITED.flatMap(name => (given.has(name) ? [[name, given.get(name)]] : [])))
}
