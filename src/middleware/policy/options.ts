import { checkOptionNames, checkOptionsObject, kindOf } from '../../engine/option-names.js'
import { type Duration, milliseconds } from '../../engine/time.js'
import { checkCacheName } from './cache-key.js'

/** Directives of requests that a cache can heed (RFC 9111 §5.2.1). */
export type RequestDirective = 'no-store' | 'no-cache' | 'max-age' | 'min-fresh' | 'max-stale' | 'only-if-cached'

/** Options of the rules. All that loosen a rule are off. */
export interface PolicyOptions {
  /**
   * Names the cache in keys, in `Cache-Status` and, where it is a token, in a targeted field of its own:
   * `<name>-Cache-Control`.
   *
   * @default 'fanout-cache'
   */
  readonly name?: string
  /**
   * Freshness of answers of 200, 203, 204, 300, 301 and 308 which say nothing of their own: neither `Cache-Control` nor
   * `Expires` nor a targeted field gives or forbids it. Counted from their arrival. Requests with a cookie bypass such
   * answers, unless `ignoreCookies`.
   */
  readonly ttl?: Duration
  /** The same by status, for others too: `{ 404: '10s' }`. Goes before `ttl`. */
  readonly statusTtl?: Readonly<Record<number, Duration>>
  /** Requests with a cookie get, and fill, what is fresh by `ttl` and `statusTtl`. @default false */
  readonly ignoreCookies?: boolean
  /**
   * How long answers without a `stale-while-revalidate` of their own are served while they are validated in the
   * background (RFC 5861 §3).
   *
   * @default 0
   */
  readonly staleWhileRevalidate?: Duration
  /**
   * How long answers without a `stale-if-error` of their own are served when the handler fails (RFC 5861 §4).
   *
   * @default 0
   */
  readonly staleIfError?: Duration
  /**
   * `s-maxage` does not forbid stale answers that the response itself, or an option, allows (RFC 9111 §5.2.2.10 says it
   * does).
   *
   * @default false
   */
  readonly staleDespiteSMaxage?: boolean
  /** Store answers with `Set-Cookie`, which all others then get. @default false */
  readonly storeSetCookie?: boolean
  /**
   * Freshness of answers that have a `Last-Modified` and say nothing else: a part of the time since then (RFC 9111
   * §4.2.2). `true` is a tenth, and a day at most.
   *
   * @default false
   */
  readonly heuristics?: boolean | { readonly fraction?: number; readonly max?: Duration }
  /** Store 206 for themselves. @default false */
  readonly storePartial?: boolean
  /**
   * Store answers to POST that have explicit freshness and a `Content-Location` that is their URI, for later GETs (RFC
   * 9110 §9.3.3).
   *
   * @default false
   */
  readonly cachePost?: boolean
  /**
   * Store answers that may not be used without validation, such as those with `no-cache` and an `ETag`.
   *
   * @default true
   */
  readonly storeForValidation?: boolean
  /**
   * Directives of requests that are heeded. Others let a client send each of its requests to the handler.
   *
   * @default no-store, max-stale, only-if-cached
   */
  readonly requestDirectives?: readonly RequestDirective[] | 'all'
  /**
   * Targeted fields that count for this cache, the most specific first (RFC 9213).
   *
   * @default `<name>-Cache-Control`, `CDN-Cache-Control`
   */
  readonly targets?: readonly string[]
}

/** The options as the rules take them: complete, checked, in milliseconds. */
export interface Policy {
  readonly name: string
  readonly ttl: number | undefined
  readonly statusTtl: ReadonlyMap<number, number>
  readonly ignoreCookies: boolean
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly staleDespiteSMaxage: boolean
  readonly storeSetCookie: boolean
  readonly heuristics: { readonly fraction: number; readonly max: number } | undefined
  readonly storePartial: boolean
  readonly cachePost: boolean
  readonly storeForValidation: boolean
  readonly requestDirectives: ReadonlySet<RequestDirective>
  readonly targets: readonly string[]
}

const DIRECTIVES: readonly RequestDirective[] = [
  'no-store',
  'no-cache',
  'max-age',
  'min-fresh',
  'max-stale',
  'only-if-cached',
]
const SAFE_DIRECTIVES: readonly RequestDirective[] = ['no-store', 'max-stale', 'only-if-cached']
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const DAY = 86_400_000

/** The names of {@link PolicyOptions}, for those who check them together with options of their own. */
export const POLICY_OPTION_NAMES: ReadonlySet<string> = new Set<keyof PolicyOptions>([
  'name',
  'ttl',
  'statusTtl',
  'ignoreCookies',
  'staleWhileRevalidate',
  'staleIfError',
  'staleDespiteSMaxage',
  'storeSetCookie',
  'heuristics',
  'storePartial',
  'cachePost',
  'storeForValidation',
  'requestDirectives',
  'targets',
])

/**
 * Checks and completes options. Names that are unknown here are the business of the caller.
 *
 * @throws TypeError or RangeError that names the option
 */
export function resolvePolicy(options: PolicyOptions = {}): Policy {
  const name = options.name === undefined ? 'fanout-cache' : checkCacheName(options.name)
  return {
    name,
    ttl: options.ttl === undefined ? undefined : milliseconds(options.ttl, 'ttl'),
    statusTtl: statusTtlOf(options.statusTtl),
    ignoreCookies: flag(options, 'ignoreCookies', false),
    staleWhileRevalidate: milliseconds(options.staleWhileRevalidate ?? 0, 'staleWhileRevalidate'),
    staleIfError: milliseconds(options.staleIfError ?? 0, 'staleIfError'),
    staleDespiteSMaxage: flag(options, 'staleDespiteSMaxage', false),
    storeSetCookie: flag(options, 'storeSetCookie', false),
    heuristics: heuristicsOf(options.heuristics),
    storePartial: flag(options, 'storePartial', false),
    cachePost: flag(options, 'cachePost', false),
    storeForValidation: flag(options, 'storeForValidation', true),
    requestDirectives: directivesOf(options.requestDirectives),
    targets: targetsOf(options.targets, name),
  }
}

/** The rules without any option given. */
export const DEFAULT_POLICY: Policy = /* @__PURE__ */ resolvePolicy()

function flag(options: PolicyOptions, name: keyof PolicyOptions, byDefault: boolean): boolean {
  const given: unknown = options[name]
  if (given === undefined) return byDefault
  if (typeof given !== 'boolean') throw new TypeError(`${name} must be true or false, got ${kindOf(given)}`)
  return given
}

function statusTtlOf(given: PolicyOptions['statusTtl']): ReadonlyMap<number, number> {
  if (given === undefined) return new Map()
  checkOptionsObject(given, 'statusTtl')
  const entries = Object.entries(given).map(([text, ttl]): [number, number] => {
    const status = Number(text)
    if (!/^[2-5]\d\d$/.test(text) || status === 206 || status === 304) {
      throw new RangeError(`statusTtl: a status from 200 to 599 other than 206 and 304 was expected, got ${text}`)
    }
    return [status, milliseconds(ttl, `statusTtl[${text}]`)]
  })
  return new Map(entries)
}

function heuristicsOf(given: PolicyOptions['heuristics']): Policy['heuristics'] {
  if (given === undefined || given === false) return undefined
  if (given === true) return { fraction: 0.1, max: DAY }
  checkOptionsObject(given, 'heuristics')
  checkOptionNames(given, new Set(['fraction', 'max']), 'heuristics')
  const { fraction = 0.1, max = DAY } = given
  if (typeof fraction !== 'number' || !(fraction > 0 && fraction <= 1)) {
    throw new RangeError(`heuristics.fraction must be a number above 0 and up to 1, got ${kindOf(fraction)}`)
  }
  return { fraction, max: milliseconds(max, 'heuristics.max') }
}

function directivesOf(given: PolicyOptions['requestDirectives']): ReadonlySet<RequestDirective> {
  if (given === undefined) return new Set(SAFE_DIRECTIVES)
  if (given === 'all') return new Set(DIRECTIVES)
  if (!Array.isArray(given))
    throw new TypeError(`requestDirectives must be 'all' or an array of names, got ${kindOf(given)}`)
  const unknown: unknown = given.find(name => !DIRECTIVES.includes(name))
  if (unknown !== undefined)
    throw new RangeError(`requestDirectives: expected ${DIRECTIVES.join(', ')}, got ${kindOf(unknown)}`)
  return new Set(given)
}

function targetsOf(given: PolicyOptions['targets'], name: string): readonly string[] {
  if (given === undefined)
    return TOKEN.test(name) ? [`${name}-Cache-Control`, 'CDN-Cache-Control'] : ['CDN-Cache-Control']
  if (!Array.isArray(given)) throw new TypeError(`targets must be an array of field names, got ${kindOf(given)}`)
  for (const target of given as readonly unknown[]) {
    if (typeof target !== 'string' || !TOKEN.test(target))
      throw new TypeError(`targets must be field names, got ${kindOf(target)}`)
  }
  return [...given]
}
