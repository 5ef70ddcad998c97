import { Readable } from 'node:stream'
import type { CacheHandle } from '../cache-handle.js'
import type { EncodedKey } from '../disk/codec.js'
import { oncePerProcess } from '../once-per-process.js'
import { kindOf } from '../option-names.js'
import type { ComputeContext, Computing, Key, Tag } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { milliseconds } from '../time.js'
import { isStream, watchStream } from './value-source.js'
import { encodeTag } from './verb-options.js'

/** One call of `getOrSet`. Durations are milliseconds. */
export interface Order<T> {
  readonly handle: CacheHandle
  readonly shard: Shard
  readonly key: Key
  readonly encoded: EncodedKey
  readonly factory: (context: ComputeContext<T>) => T | Promise<T>
  readonly options: Computing
  readonly staleFor: number
  readonly lease: number
  /** The present value, which is to be replaced, and its version. */
  readonly replaced?: { readonly value: T; readonly version: string }
}

/** The options that a computation has set for its value. */
export interface Chosen {
  ttl?: Computing['ttl']
  tag?: Tag
  readonly tags: string[]
  skip: boolean
}

/** The tags of a value that are known before it is computed, by which a purge may reach it. */
export function givenTags({ tag, tags = [] }: Computing): readonly string[] {
  return typeof tag === 'string' ? [tag, ...tags] : tags
}

const standing = oncePerProcess('standing', () => new WeakMap<object, () => boolean>())

/** Notes how to find out whether the value of a computation may still be stored. */
export function noteStanding(context: object, isCurrent: () => boolean): void {
  standing.set(context, isCurrent)
}

/** Whether the value of the computation with this context may still be stored, as far as a look shows. */
export function isStanding(context: object): boolean {
  return standing.get(context)?.() ?? false
}

const listeners = oncePerProcess('stored', () => new WeakMap<object, () => void>())

/** Calls `listener` when the value of the computation with this context was stored. */
export function whenStored(context: object, listener: () => void): void {
  listeners.set(context, listener)
}

/** Tells that the value of the computation with this context was stored. */
export function tellStored(context: object): void {
  listeners.get(context)?.()
}

/** Creates the context of a factory. It checks options at once, so that the stack of the factory shows a mistake. */
export function contextOf<T>(
  chosen: Chosen,
  signal: AbortSignal,
  replaced: { readonly value: T } | undefined,
): ComputeContext<T> {
  return {
    ttl: ttl => {
      if (ttl !== null) milliseconds(ttl, 'ttl')
      chosen.ttl = ttl
    },
    tag: tag => {
      encodeTag(tag)
      if (chosen.tag === undefined) chosen.tag = tag
      else if (typeof tag === 'string') chosen.tags.push(tag)
      else throw new TypeError(`tag: a second one must be a string, got ${kindOf(tag)}`)
    },
    skip: () => {
      chosen.skip = true
    },
    signal,
    ...(replaced && { previous: replaced.value }),
  }
}

/**
 * @throws TypeError for a stream, which only one of several waiters could read, and for a `Response` of `fetch`, which
 *   would be stored as an empty object
 */
export function refuseStream(value: unknown): void {
  if (Object.prototype.toString.call(value) === '[object Response]') {
    const cure = 'read it first, as with await response.json()'
    throw new TypeError(`getOrSet: the function must return a value, not a Response: ${cure}`)
  }
  if (!isStream(value)) return
  watchStream(value)
  if (value instanceof Readable) value.destroy()
  throw new TypeError('getOrSet: the function must return a value, not a stream')
}
