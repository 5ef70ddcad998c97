import { checkOptionNames, checkOptionsObject, type Duration, kindOf, milliseconds } from '../engine/for-doors.js'
import type { UpkeepOptions } from '../engine/index.js'
import type { HttpRequest, RoutedRequest } from './http-message.js'
import { normalAuthority } from './policy/cache-key.js'
import { isToken } from './policy/fields.js'
import type { ResponseHead } from './policy/message.js'
import { POLICY_OPTION_NAMES, type Policy, type PolicyOptions, resolvePolicy } from './policy/options.js'
import { syncOption } from './sync-option.js'

/**
 * Options of `responseCache`, in addition to those of the rules. Durations are milliseconds or strings such as `'5m'`.
 */
export interface ResponseCacheOptions<Request extends HttpRequest = RoutedRequest> extends PolicyOptions {
  /** Returns the key of a request. `undefined`: the request bypasses the cache. @default scheme, host and URL */
  readonly key?: ((request: Request) => string | undefined) | undefined
  /** Tags of an answer, in addition to those of its fields `Cache-Tag` and `Surrogate-Key`. @default none */
  readonly tags?: readonly string[] | ((request: Request, response: ResponseHead) => readonly string[]) | undefined
  /** Returns whether a request bypasses the cache. What is truthy counts, a promise too. @default none does */
  readonly bypass?: ((request: Request) => boolean) | undefined
  /** Request fields that select an answer, in addition to those of its `Vary`. @default none */
  readonly vary?: readonly string[] | undefined
  /** Limit of a stored body. Bytes. @default half the limit of a shard */
  readonly maxEntrySize?: number | undefined
  /** How long a stale answer with a validator is kept for validation. @default '1d' */
  readonly keepStale?: Duration | undefined
  /** How long a request waits for another one, of any process, that fetches the same answer. @default '5s' */
  readonly collapseTimeout?: Duration | undefined
  /** Host of all keys, or scheme and host such as `https://example.com`. @default those of the request */
  readonly authority?: string | undefined
  /** The hosts that are cached. Requests for others bypass the cache. @default all */
  readonly hosts?: readonly string[] | undefined
  /** Limit of variants of one URL. Beyond it a new one replaces the oldest. @default 16 */
  readonly maxVariants?: number | undefined
  /** How often a process must get requests for a URL before it stores an answer. 1: at once. @default 1 */
  readonly minUses?: number | undefined
  /** Does the upkeep of the directory in a thread of one process, as `startUpkeep` does. @default false */
  readonly upkeep?: boolean | UpkeepOptions | undefined
}

/** The checked options. Durations are milliseconds. */
export interface Settings extends Pick<ResponseCacheOptions<HttpRequest>, 'key' | 'tags' | 'bypass' | 'hosts'> {
  readonly policy: Policy
  readonly vary: readonly string[]
  readonly maxEntrySize: number
  readonly keepStale: number
  readonly collapseTimeout: number
  readonly scheme?: string
  readonly authority?: string
  readonly maxVariants: number
  readonly minUses: number
}

const PLACE = 'responseCache'
const KNOWN: ReadonlySet<string> = new Set([
  ...POLICY_OPTION_NAMES,
  ...['key', 'tags', 'bypass', 'vary', 'maxEntrySize', 'keepStale', 'collapseTimeout'],
  ...['authority', 'hosts', 'maxVariants', 'minUses', 'upkeep'],
])

/**
 * Checks the options.
 *
 * @throws TypeError for unknown options and wrong types; RangeError for values out of range
 */
export function resolveSettings(options: ResponseCacheOptions<HttpRequest> = {}): Settings {
  checkOptionsObject(options, PLACE)
  checkOptionNames(options, KNOWN, PLACE)
  const { key, tags, bypass } = options
  callable(key, 'key')
  callable(bypass, 'bypass')
  if (typeof tags !== 'function') texts(tags, 'tags')
  return {
    key: key && syncOption(key),
    tags: typeof tags === 'function' ? syncOption(tags) : tags && [...tags],
    bypass: bypass && syncOption(bypass),
    hosts: options.hosts && hostList(options.hosts),
    policy: resolvePolicy(options),
    vary: fieldNames(options.vary),
    maxEntrySize: whole(options.maxEntrySize, 'maxEntrySize', 0, Number.POSITIVE_INFINITY),
    keepStale: milliseconds(options.keepStale ?? '1d', 'keepStale'),
    collapseTimeout: milliseconds(options.collapseTimeout ?? '5s', 'collapseTimeout'),
    ...fixedAuthority(options.authority),
    maxVariants: whole(options.maxVariants, 'maxVariants', 1, 16),
    minUses: whole(options.minUses, 'minUses', 1, 1),
  }
}

function callable(value: unknown, name: string): void {
  if (value !== undefined && typeof value !== 'function') {
    throw new TypeError(`${PLACE}: ${name} must be a function, got ${kindOf(value)}`)
  }
}

function whole(value: unknown, name: string, least: number, absent: number): number {
  if (value === undefined || (value === Number.POSITIVE_INFINITY && absent === value)) return absent
  if (typeof value !== 'number') throw new TypeError(`${PLACE}: ${name} must be a number, got ${kindOf(value)}`)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new RangeError(`${PLACE}: ${name} must be a whole number of ${least} or more, got ${value}`)
}

function texts(value: unknown, name: string): readonly string[] {
  if (value === undefined) return []
  const isList = Array.isArray(value) && value.every(one => typeof one === 'string' && one !== '')
  if (isList) return value as readonly string[]
  throw new TypeError(`${PLACE}: ${name} must be an array of strings that are not empty, got ${kindOf(value)}`)
}

function fieldNames(value: unknown): readonly string[] {
  const names = texts(value, 'vary')
  const wrong = names.find(one => !isToken(one) || one === '*')
  if (wrong === undefined) return names.map(name => name.toLowerCase())
  throw new RangeError(`${PLACE}: vary must hold names of request fields, got ${kindOf(wrong)}`)
}

function hostList(value: unknown): readonly string[] {
  const hosts = texts(value, 'hosts')
  const wrong = hosts.find(host => normalAuthority(host, 'http') === undefined)
  if (wrong === undefined) return [...hosts]
  throw new RangeError(`${PLACE}: hosts must hold hosts such as 'example.com:8080', got ${kindOf(wrong)}`)
}

function fixedAuthority(value: unknown): Pick<Settings, 'scheme' | 'authority'> {
  if (value === undefined) return {}
  if (typeof value !== 'string') throw new TypeError(`${PLACE}: authority must be a string, got ${kindOf(value)}`)
  const [, scheme, host = ''] = /^(?:(https?):\/\/)?([^/?#]+)\/?$/i.exec(value) ?? []
  const authority = normalAuthority(host, scheme?.toLowerCase() ?? 'http')
  if (authority !== undefined) return { authority, scheme: scheme?.toLowerCase() }
  throw new RangeError(
    `${PLACE}: authority must be a host, or scheme and host such as 'https://example.com', got ${kindOf(value)}`,
  )
}
