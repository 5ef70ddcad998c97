import 'reflect-metadata'
import { computeWithin } from '../../adapters/own-computation.js'
import { checkComputing } from '../../engine/for-adapters.js'
import { type Computing, type Duration, keyOf } from '../../engine/index.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../../engine/option-names.js'
import { CACHEABLE_BY_NAME_METADATA } from '../cache.constants.js'
import { lifeOf } from '../cache-life.js'
import { computeOnce } from '../compute-once.js'
import { isStreaming } from '../sendable.js'
import { checkOption, isFunction, isText, isTexts } from './check-arguments.js'
import { type MethodCall, type MethodDecoratorFor, wrapMethod } from './method-wrapper.js'

/** A method that returns a promise. */
export type AsyncMethod = (...args: never[]) => Promise<unknown>

/** Options of `@Cacheable`. Functions get the arguments of the call. */
export interface CacheableOptions extends Pick<Computing, 'staleFor' | 'beta' | 'lease'> {
  /** The key, as `cacheManager.del(key)` takes it. @default class, method, and `keyOf` of the arguments */
  readonly key?: string | ((...args: never[]) => string) | undefined
  /** Time to live: milliseconds or a string. 0: not cached. @default the `ttl` of the module */
  readonly ttl?: Duration | ((...args: never[]) => Duration) | undefined
  /** The tags of the result, for `@CacheEvict({ tags })`. @default none */
  readonly tags?: readonly string[] | ((...args: never[]) => readonly string[]) | undefined
  /** Returns whether a result is not kept. `undefined` never is. @default all others are kept */
  readonly unless?: ((value: never) => boolean) | undefined
  /** The `name` of the registration. @default the one without a name */
  readonly cache?: string | undefined
}

const OPTIONS = new Set(['key', 'ttl', 'tags', 'unless', 'cache', 'staleFor', 'beta', 'lease'])

/**
 * Keeps the results of a method of a provider. A missing result is computed once over all processes, as with `getOrSet`
 * of the engine, and concurrent callers wait for it. Errors are not kept. When the cache fails, the method runs.
 *
 * @throws TypeError or RangeError for unknown or wrong options; the method rejects with TypeError when its arguments
 *   cannot be a key
 * @example
 * @Cacheable({ key: (id: string) => `user:${id}`, ttl: '5m', tags: ['users'] })
 * async find(id: string): Promise<User> {}
 */
export function Cacheable(options: CacheableOptions = {}): MethodDecoratorFor<AsyncMethod> {
  checkOptionsObject(options, '@Cacheable')
  checkOptionNames(options, OPTIONS, '@Cacheable')
  checkOptions(options)
  const wrap = wrapMethod<AsyncMethod>('Cacheable', options.cache, call => answer(call, options))
  if (options.key !== undefined) return wrap
  return (target, property, descriptor) => {
    wrap(target, property, descriptor)
    Reflect.defineMetadata(CACHEABLE_BY_NAME_METADATA, options.cache ?? '', descriptor.value as object)
  }
}

function checkOptions({ key, ttl, tags, unless, cache, staleFor, beta, lease }: CacheableOptions): void {
  checkOption(key, '@Cacheable: key', 'a text or a function of the arguments', isText, isFunction)
  if (typeof ttl !== 'function') lifeOf(ttl, '@Cacheable: ttl')
  checkOption(tags, '@Cacheable: tags', 'texts in an array or a function of the arguments', isTexts, isFunction)
  checkOption(unless, '@Cacheable: unless', 'a function of the answer', isFunction)
  checkOption(cache, '@Cacheable: cache', 'the name of a registration', isText)
  const given = Object.entries({ staleFor, beta, lease }).filter(([, value]) => value !== undefined)
  checkComputing(Object.fromEntries(given), '@Cacheable')
}

async function answer({ host, args, proceed, place }: MethodCall, options: CacheableOptions): Promise<unknown> {
  const { staleFor, beta, lease, unless } = options
  const key = resolved(options.key, args) ?? `${place}(${textOf(args, place)})`
  if (typeof key !== 'string') throw new TypeError(`@Cacheable: key of ${place} must be a string, got ${kindOf(key)}`)
  const ttl = lifeOf(resolved(options.ttl, args), '@Cacheable: ttl') ?? host.ttl
  if (ttl === 0 || host.isReplaced) return proceed()
  const tags = resolved(options.tags, args)
  const given = Object.entries({ ttl, tags, staleFor, beta, lease }).filter(([, value]) => value !== undefined)
  const { cache } = host
  const full = host.keyOf(key)
  return computeOnce({
    cache,
    key: full,
    options: Object.fromEntries(given),
    compute: async () => {
      const value = await computeWithin(cache, full, proceed)
      return { value, keep: !isStreaming(value) && !unless?.(value as never) }
    },
    report: error => host.report(`@Cacheable of ${place}`, error),
  })
}

/** Encodes arguments as a text that is equal exactly for equal arguments. */
function textOf(args: readonly unknown[], place: string): string {
  try {
    return args.length === 0 ? '' : keyOf(...args)
  } catch (cause) {
    const message = `@Cacheable: no key can be made of the arguments of ${place} (${(cause as Error).message})`
    throw new TypeError(`${message}; say which with key: (...args) => string`, { cause })
  }
}

/** Resolves an option that may be a function of the arguments. */
export function resolved<T>(
  option: T | ((...args: never[]) => T) | undefined,
  args: readonly unknown[],
): T | undefined {
  return typeof option === 'function' ? (option as (...args: readonly unknown[]) => T)(...args) : option
}
