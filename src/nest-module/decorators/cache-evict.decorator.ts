import { concat, defer, ignoreElements, isObservable, type Observable } from 'rxjs'
import { checkOptionNames, checkOptionsObject } from '../../engine/option-names.js'
import type { Eviction } from '../cache-host.js'
import { resolved } from './cacheable.decorator.js'
import { checkOption, isFunction, isText, isTexts, unexpected } from './check-arguments.js'
import { type AnyMethod, type MethodCall, type MethodDecoratorFor, wrapMethod } from './method-wrapper.js'

/** Options of `@CacheEvict`. Functions get the arguments of the call. */
export interface CacheEvictOptions {
  /** Removes keys: those of `@CacheKey`, `@Cacheable` or the cache manager, or URLs such as `/cats`. */
  readonly key?: string | readonly string[] | ((...args: never[]) => string | readonly string[]) | undefined
  /** Removes all entries with one of these tags. */
  readonly tags?: readonly string[] | ((...args: never[]) => readonly string[]) | undefined
  /** Removes all entries of the registration. @default false */
  readonly all?: boolean | undefined
  /** The `name` of the registration. @default the one without a name */
  readonly cache?: string | undefined
}

const OPTIONS = new Set(['key', 'tags', 'all', 'cache'])

/**
 * Removes entries when a method has succeeded, before its answer is sent. Use it on handlers and on methods of
 * providers; the method then returns a promise.
 *
 * @throws TypeError for unknown or wrong options, and when nothing is named
 * @example
 * @CacheEvict({ key: (id: string) => `user:${id}`, tags: ['users'] })
 */
export function CacheEvict(options: CacheEvictOptions): MethodDecoratorFor<AnyMethod> {
  checkOptionsObject(options, '@CacheEvict')
  checkOptionNames(options, OPTIONS, '@CacheEvict')
  if (options.key === undefined && options.tags === undefined && options.all !== true) {
    throw new TypeError('@CacheEvict: say what is removed, with key, tags or all: true')
  }
  const { key, tags, all, cache } = options
  checkOption(key, '@CacheEvict: key', 'a text, texts or a function of the arguments', isText, isTexts, isFunction)
  checkOption(tags, '@CacheEvict: tags', 'texts in an array or a function of the arguments', isTexts, isFunction)
  checkOption(all, '@CacheEvict: all', 'true or false', value => typeof value === 'boolean')
  checkOption(cache, '@CacheEvict: cache', 'the name of a registration', isText)
  return wrapMethod('CacheEvict', options.cache, call => evictAfter(call, options))
}

function evictAfter(call: MethodCall, options: CacheEvictOptions): unknown {
  const { host, args, place } = call
  const evict = (): Promise<void> => {
    const key = resolved<string | readonly string[]>(options.key, args) ?? []
    const eviction: Eviction = {
      keys: texts(typeof key === 'string' ? [key] : key, `@CacheEvict: key of ${place}`),
      tags: texts(resolved<readonly string[]>(options.tags, args) ?? [], `@CacheEvict: tags of ${place}`),
      all: options.all === true,
    }
    return host.evict(eviction, `@CacheEvict of ${place}`)
  }
  const result = call.proceed()
  if (isObservable(result)) return concat(result, after(evict))
  return Promise.resolve(result).then(async value => {
    if (isObservable(value)) return concat(value, after(evict))
    await evict()
    return value
  })
}

/** Checks the result of a function of the app. @throws TypeError when it is no text or list of texts */
function texts(given: unknown, name: string): readonly string[] {
  if (isTexts(given)) return given
  throw unexpected(name, 'texts', given)
}

/** An observable that emits nothing and completes when an action is done. */
function after(action: () => Promise<void>): Observable<never> {
  return defer(action).pipe(ignoreElements())
}
