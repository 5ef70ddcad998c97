import { checkOptionNames, checkOptionsObject, kindOf } from '../../engine/option-names.js'
import { type Duration, milliseconds } from '../../engine/time.js'
import { checkCacheName } from './cache-key.js'
import { isToken } from './fields.js'

/** Request directives that a cache can obey (RFC 9111 §5.2.1). */
export type RequestDirective = 'no-store' | 'no-cache' | 'max-age' | 'min-fresh' | 'max-stale' | 'only-if-cached'

/** Freshness by the time since `Last-Modified`. */
export interface Heuristics {
  /** The fraction of that time, more than 0 and at most 1. @default 0.1 */
  readonly fraction?: number | undefined
  /** The longest freshness: milliseconds or a string. @default '1d' */
  readonly max?: Duration | undefined
}

/** Options of the rules. Options that relax a rule are off by default. Durations are milliseconds or strings. */
export interface PolicyOptions {
  /**
   * The name of the cache in keys, in `Cache-Status` and, if it is a token, in its own targeted field
   * `<name>-Cache-Control`.
   *
   * @default 'fanout-cache'
   */
  readonly name?: string | undefined
  /**
   * Freshness of answers with status 200, 203, 204, 300, 301 and 308 when neither `Cache-Control` nor `Expires` nor a
   * targeted field determines it. It counts from their arrival. Requests with a cookie bypass such answers, unless
   * `ignoreCookies` is set.
   *
   * @default such answers are not fresh
   */
  readonly ttl?: Duration | undefined
  /** Like `ttl`, by status, also for other statuses: `{ 404: '10s' }`. Overrides `ttl`. @default none */
  readonly statusTtl?: Readonly<Record<number, Duration>> | undefined
  /** Lets requests with a cookie use and store answers that are fresh by `ttl` and `statusTtl`. @default false */
  readonly ignoreCookies?: boolean | undefined
  /**
   * How long stale answers without their own `stale-while-revalidate` are served while they are validated in the
   * background (RFC 5861 §3).
   *
   * @default 0
   */
  readonly staleWhileRevalidate?: Duration | undefined
  /**
   * How long stale answers without their own `stale-if-error` are served when the handler fails (RFC 5861 §4).
   *
   * @default 0
   */
  readonly staleIfError?: Duration | undefined
  /**
   * Serves stale answers that the response or an option allows despite `s-maxage`, which forbids it by RFC 9111
   * §5.2.2.10.
   *
   * @default false
   */
  readonly staleDespiteSMaxage?: boolean | undefined
  /** Stores answers with `Set-Cookie`, which all clients then get. @default false */
  readonly storeSetCookie?: boolean | undefined
  /**
   * Gives answers with `Last-Modified` and no other freshness a fraction of the time since then (RFC 9111 §4.2.2).
   * `true`: a tenth, at most a day.
   *
   * @default false
   */
  readonly heuristics?: boolean | Heuristics | undefined
  /** Stores partial answers (206) as entries of their own. @default false */
  readonly storePartial?: boolean | undefined
  /**
   * Stores answers to POST for later GETs if they have explicit freshness and a `Content-Location` equal to their URI
   * (RFC 9110 §9.3.3).
   *
   * @default false
   */
  readonly cachePost?: boolean | undefined
  /**
   * Stores answers that must be validated before each use, such as those with `no-cache` and an `ETag`.
   *
   * @default true
   */
  readonly storeForValidation?: boolean | undefined
  /**
   * Request directives that are obeyed. The others would let a client send each of its requests to the handler.
   *
   * @default no-store, max-stale, only-if-cached
   */
  readonly requestDirectives?: readonly RequestDirective[] | 'all' | undefined
  /**
   * Targeted fields that apply to this cache, the most specific first (RFC 9213).
   *
   * @default `<name>-Cache-Control`, `CDN-Cache-Control`
   */
  readonly targets?: readonly string[] | undefined
}

/** The checked and complete options. Durations are milliseconds. */
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
const DAY = 86_400_000

/** The names of {@link PolicyOptions}, for callers that check them together with other options. */
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
 * Checks and completes the options. The caller checks for unknown names.
 *
 * @throws TypeError or RangeError that names the option
 */
export function resolvePolicy(options: PolicyOptions = {}): Policy {
  const name = options.name === undefined ? 'fanout-cache' : checkCacheName(options.name)
  return {
    name,
    ttl: options.ttl === undefined ? undefined : milliseconds(options.ttl, 'ttl'),
    statusTtl: statusTtlOf(options.statusTtl),
    ignoreCookies: flag(options, 'ignoreCookies') ?? false,
    staleWhileRevalidate: milliseconds(options.staleWhileRevalidate ?? 0, 'staleWhileRevalidate'),
    staleIfError: milliseconds(options.staleIfError ?? 0, 'staleIfError'),
    staleDespiteSMaxage: flag(options, 'staleDespiteSMaxage') ?? false,
    storeSetCookie: flag(options, 'storeSetCookie') ?? false,
    heuristics: heuristicsOf(options.heuristics),
    storePartial: flag(options, 'storePartial') ?? false,
    cachePost: flag(options, 'cachePost') ?? false,
    storeForValidation: flag(options, 'storeForValidation') ?? true,
    requestDirectives: directivesOf(options.requestDirectives),
    targets: targetsOf(options.targets, name),
  }
}

/** The rules with all defaults. */
export const DEFAULT_POLICY: Policy = /* @__PURE__ */ resolvePolicy()

function flag(options: PolicyOptions, name: keyof PolicyOptions): boolean | undefined {
  const given: unknown = options[name]
  if (given === undefined || typeof given === 'boolean') return given
  throw new TypeError(`${name} must be true or false, got ${kindOf(given)}`)
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
  if (given === undefined) return isToken(name) ? [`${name}-Cache-Control`, 'CDN-Cache-Control'] : ['CDN-Cache-Control']
  if (!Array.isArray(given)) throw new TypeError(`targets must be an array of field names, got ${kindOf(given)}`)
  for (const target of given as readonly unknown[]) {
    if (typeof target !== 'string' || !isToken(target))
      throw new TypeError(`targets must be field names, got ${kindOf(target)}`)
  }
  return [...given]
}
