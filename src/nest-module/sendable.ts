import { isTypedArray } from 'node:util/types'
import { StreamableFile } from '@nestjs/common'

/** What a handler answered, as it can be kept; `undefined` when it cannot. */
export interface Sendable {
  readonly body: unknown
}

/**
 * The value that is kept for an answer. Plain data and what the engine gives back equal stay as they are. Where there is an
 * instance of a class in it, what is kept is the JSON that would be sent: a later answer must not show what its `toJSON` hides.
 *
 * Not kept: `undefined`, of which nobody can tell whether the handler has answered by itself; streams and files.
 */
export function sendableOf(value: unknown): Sendable | undefined {
  if (value === undefined || typeof value === 'function' || typeof value === 'symbol' || isStreaming(value))
    return undefined
  if (isPlain(value, 0)) return { body: value }
  try {
    const json = JSON.stringify(value) as string | undefined
    return json === undefined ? undefined : { body: JSON.parse(json) as unknown }
  } catch {
    // It cannot be sent either, and Nest says why.
    return undefined
  }
}

const DEEPEST = 200

function isPlain(value: unknown, depth: number): boolean {
  if (typeof value === 'function' || typeof value === 'symbol' || depth > DEEPEST) return false
  // In an object JSON has no word for it, unless the app has taught it one.
  if (typeof value === 'bigint') return depth === 0
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every(item => isPlain(item, depth + 1))
  if (isTypedArray(value) || value instanceof Date) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  return (
    typeof (value as { toJSON?: unknown }).toJSON !== 'function' &&
    Object.values(value).every(item => isPlain(item, depth + 1))
  )
}

/** Whether it can be read once only, and so not be kept. */
export function isStreaming(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (
    value instanceof StreamableFile ||
    value instanceof ReadableStream ||
    value instanceof Blob ||
    value instanceof Response
  ) {
    return true
  }
  const { pipe, getStream, [Symbol.asyncIterator]: iterate } = value as Record<PropertyKey, unknown>
  return [pipe, getStream, iterate].some(member => typeof member === 'function')
}
