import { isTypedArray } from 'node:util/types'
import { StreamableFile } from '@nestjs/common'

/** The answer of a handler in a form that can be kept. */
export interface Sendable {
  readonly body: unknown
}

/**
 * Converts an answer to the value that is kept. Plain data and values that the engine returns equal are kept unchanged.
 * If there is an instance of a class in it, the JSON that would be sent is kept, because a later answer must not show
 * what its `toJSON` hides.
 *
 * `undefined` when it cannot be kept: streams, files, and `undefined`, since the handler may then answer by itself.
 */
export function sendableOf(value: unknown): Sendable | undefined {
  if (value === undefined || typeof value === 'function' || typeof value === 'symbol' || isStreaming(value))
    return undefined
  if (isPlain(value, 0)) return { body: value }
  try {
    const json = JSON.stringify(value) as string | undefined
    return json === undefined ? undefined : { body: JSON.parse(json) as unknown }
  } catch {
    // It cannot be sent either, and Nest will report why.
    return undefined
  }
}

const DEEPEST = 200

function isPlain(value: unknown, depth: number): boolean {
  if (typeof value === 'function' || typeof value === 'symbol' || depth > DEEPEST) return false
  // Inside an object JSON does not support it, unless the app has defined its toJSON.
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

/** Whether a value can be read only once and therefore cannot be kept. */
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
