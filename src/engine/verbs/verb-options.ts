import { types } from 'node:util'
import type { SqlValue } from '../disk/codec.js'
import { isInt64, toSqlNumber } from '../disk/native-values.js'
import { fromBigInt } from '../disk/pickle/integers.js'
import { isPlainData } from '../disk/plain-data.js'
import type { Change } from '../operations/items.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import type { Storing, Tag, Touching, Waiting } from '../options.js'
import { milliseconds, toMilliseconds, toSeconds } from '../time.js'

const WAITING = ['retry', 'timeout', 'signal']
const STORING = [...WAITING, 'ttl', 'tag', 'tags', 'file', 'meta']

/** Sets of options, named after the kind of verb. */
export type VerbOptions =
  | 'waiting'
  | 'storing'
  | 'computing'
  | 'touching'
  | 'counting'
  | 'pushing'
  | 'pulling'
  | 'peeking'
  | 'expiring'
  | 'checking'
  | 'transacting'
  | 'listing'
  | 'resetting'
  | 'taking'
  | 'walking'

const VERB_OPTIONS: Readonly<Record<VerbOptions, ReadonlySet<string>>> = {
  waiting: new Set(WAITING),
  storing: new Set(STORING),
  computing: new Set([...STORING, 'staleFor', 'beta', 'lease']),
  touching: new Set([...WAITING, 'ttl', 'meta', 'ifVersion']),
  counting: new Set([...STORING, 'default']),
  pushing: new Set([...STORING, 'prefix', 'side']),
  pulling: new Set([...WAITING, 'prefix', 'side']),
  peeking: new Set([...WAITING, 'last']),
  expiring: new Set([...WAITING, 'now']),
  checking: new Set([...WAITING, 'fix']),
  transacting: new Set([...WAITING, 'keys']),
  listing: new Set(['prefix', 'tag', 'reverse', 'includeExpired']),
  resetting: new Set(['reset']),
  taking: new Set([...WAITING, 'lease', 'side']),
  walking: new Set(['reverse']),
}

const META_BYTES = 16 * 1024

/** Checks the names of a verb's options. @throws TypeError */
export function checkVerbOptions(options: object | undefined, verb: string, kind: VerbOptions): void {
  if (options === undefined) return
  checkOptionsObject(options, verb)
  checkOptionNames(options, VERB_OPTIONS[kind], verb)
}

/** The checked waiting options. `wait` is milliseconds; Infinity: no limit. */
export interface ResolvedWaiting {
  readonly wait: number
  readonly signal?: AbortSignal
}

/** @param byDefault the wait of a call without `timeout` and `retry` */
export function resolveWaiting(
  options: Waiting | undefined,
  timeout: number,
  byDefault: number = timeout,
): ResolvedWaiting {
  if (options === undefined) return { wait: byDefault }
  const { retry, signal } = options
  if (retry !== undefined && typeof retry !== 'boolean') {
    throw new TypeError(`retry must be true or false, got ${kindOf(retry)}`)
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(`signal must be an AbortSignal, got ${kindOf(signal)}`)
  }
  const limit = options.timeout === undefined ? undefined : milliseconds(options.timeout, 'timeout')
  const wait = limit ?? (retry === undefined ? byDefault : retry ? Number.POSITIVE_INFINITY : timeout)
  return signal === undefined ? { wait } : { wait, signal }
}

/** The waiting of a read: the given timeout, otherwise that of the cache, whatever `retry` says. */
export function resolveReading(options: Waiting | undefined, timeout: number): ResolvedWaiting {
  const waiting = resolveWaiting(options, timeout)
  return options?.retry && options.timeout === undefined ? { ...waiting, wait: timeout } : waiting
}

/** The checked storing options. `expireTime` is in seconds since the epoch; `null`: never. */
export interface ResolvedStoring {
  readonly expireTime: number | null
  readonly tag: SqlValue
  readonly tags: readonly string[]
  readonly file: boolean
  readonly meta: string | undefined
}

const PLAIN: readonly string[] = []

export function resolveStoring(
  options: Storing | undefined,
  now: number,
  defaultTtl: number | undefined,
): ResolvedStoring {
  if (options === undefined) {
    const expireTime = defaultTtl === undefined ? null : expiry(defaultTtl, now)
    return { expireTime, tag: null, tags: PLAIN, file: false, meta: undefined }
  }
  const { ttl = defaultTtl, tag, tags, file, meta } = options
  if (file !== undefined && typeof file !== 'boolean') throw new TypeError(`file must be true, got ${kindOf(file)}`)
  return {
    expireTime: resolveTtl(ttl, now),
    tag: tag === undefined ? null : encodeTag(tag),
    tags: tags === undefined ? PLAIN : checkTags(tags),
    file: file === true,
    meta: meta === undefined ? undefined : encodeMeta(meta),
  }
}

/** The expiry of an entry in seconds since the epoch. `null`: never. */
export function resolveTtl(ttl: unknown, now: number): number | null {
  if (ttl === undefined || ttl === null) return null
  return expiry(milliseconds(ttl, 'ttl'), now)
}

/** The instant up to which `expire` removes, in seconds. Infinity: all entries that expire at all. */
export function resolveNow(now: unknown): number | undefined {
  if (now === undefined) return undefined
  if (typeof now !== 'number') throw new TypeError(`now must be epoch milliseconds, got ${kindOf(now)}`)
  if (Number.isNaN(now)) throw new RangeError('now must be epoch milliseconds, got NaN')
  return toSeconds(now)
}

function expiry(ttl: number, now: number): number | null {
  if (ttl === Number.POSITIVE_INFINITY) return null
  // Added in milliseconds, as the clock counts. The sum of two rounded fractions of seconds may be slightly too late.
  return toSeconds(toMilliseconds(now) + ttl)
}

/** Encodes a tag. @throws TypeError when it is none; RangeError for a bigint beyond 64 bits */
export function encodeTag(tag: Tag): SqlValue {
  if (typeof tag === 'string') {
    if (!tag.isWellFormed()) throw new TypeError('tag must not hold lone surrogates')
    return tag
  }
  if (typeof tag === 'number' && !Number.isNaN(tag)) return toSqlNumber(tag)
  if (typeof tag === 'bigint') {
    if (!isInt64(tag)) throw new RangeError(`tag ${tag} is beyond 64 bits`)
    return tag
  }
  if (types.isUint8Array(tag)) return Buffer.from(tag)
  throw new TypeError(`tag must be a string, number, bigint or bytes, got ${kindOf(tag)}`)
}

export function decodeTag(tag: SqlValue): Tag | undefined {
  if (tag === null) return undefined
  return typeof tag === 'bigint' ? fromBigInt(tag) : tag
}

/** Encodes metadata as JSON. @throws TypeError when it is not plain data; RangeError above 16 KiB */
export function encodeMeta(meta: unknown): string {
  if (!isPlainData(meta)) {
    throw new TypeError(`meta must be plain data, which JSON gives back as it was, got ${kindOf(meta)}`)
  }
  const text = JSON.stringify(meta)
  const bytes = Buffer.byteLength(text)
  if (bytes > META_BYTES) throw new RangeError(`meta may take ${META_BYTES} bytes as JSON, got ${bytes}`)
  return text
}

/** Checks tags and removes duplicates. @throws TypeError when they are no array of well-formed strings */
export function checkTags(tags: unknown): readonly string[] {
  if (!Array.isArray(tags)) throw new TypeError(`tags must be an array of strings, got ${kindOf(tags)}`)
  for (const tag of tags) {
    if (typeof tag !== 'string' || !tag.isWellFormed()) {
      throw new TypeError(`tags must hold well-formed strings only, got ${kindOf(tag)}`)
    }
  }
  return [...new Set<string>(tags)]
}

/** Checks the options of `touch` and converts them to the units of rows. */
export function resolveChangeOf(options: Touching, now: number): Change {
  const { ttl, meta, ifVersion } = options
  if (ifVersion !== undefined && typeof ifVersion !== 'string') {
    throw new TypeError(`ifVersion must be a string, got ${kindOf(ifVersion)}`)
  }
  return {
    ...(ttl === undefined ? undefined : { expireTime: resolveTtl(ttl, now) }),
    ...(meta === undefined ? undefined : { meta: encodeMeta(meta) }),
    ...(ifVersion === undefined ? undefined : { ifVersion }),
  }
}

/** @throws TypeError when `items` is no iterable object. A string, which is iterable, counts as a mistake */
export function checkIterable(items: unknown, verb: string): void {
  if (typeof items === 'object' && items !== null && Symbol.iterator in items) return
  throw new TypeError(`${verb} needs an array or another iterable, got ${kindOf(items)}`)
}

/** Checks the delta of a counter. @throws TypeError when it is no number; RangeError when it is not finite */
export function checkDelta(delta: unknown): number | bigint {
  if (typeof delta === 'bigint') return delta
  if (typeof delta === 'number') {
    if (Number.isFinite(delta)) return delta
    throw new RangeError(`delta must be a finite number, got ${delta}`)
  }
  throw new TypeError(`delta must be a number or bigint, got ${kindOf(delta)}`)
}

/** Checks the start of a missing counter. @throws TypeError when it is neither a number nor `null` */
export function resolveInitial(initial: unknown): number | bigint | null {
  if (initial === undefined) return 0
  if (initial === null || typeof initial === 'bigint') return initial
  if (typeof initial === 'number') {
    if (Number.isFinite(initial)) return initial
    throw new RangeError(`default must be a finite number, got ${initial}`)
  }
  throw new TypeError(`default must be a number, bigint or null, got ${kindOf(initial)}`)
}
