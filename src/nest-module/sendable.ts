import { isDate, isNativeError, isTypedArray } from 'node:util/types'
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
 * `undefined` when it cannot be kept: streams, files, errors, which platforms send in ways of their own, objects whose
 * JSON is no object, since a bare text would be sent as another type, and `undefined`, since the handler may then answer
 * by itself.
 */
export function sendableOf(value: unknown): Sendable | undefined {
  if (value === undefined || typeof value === 'function' || typeof value === 'symbol') return undefined
  if (isStreaming(value) || isNativeError(value)) return undefined
  if (isPlain(value, 0)) return { body: value }
  try {
    const json = JSON.stringify(value) as string | undefined
    const body: unknown = json === undefined ? undefined : JSON.parse(json)
    return typeof body === 'object' && body !== null ? { body } : undefined
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
  const { toJSON } = value as { readonly toJSON?: unknown }
  if (isTypedArray(value) || isDate(value)) return toJSON === undefined || USUAL.includes(toJSON)
  if (typeof toJSON === 'function') return false
  if (Array.isArray(value)) return value.every(item => isPlain(item, depth + 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  return Object.values(value).every(item => isPlain(item, depth + 1))
}

/** How dates and bytes are written unless an app has its own way. */
const USUAL: readonly unknown[] = [Date.prototype.toJSON, Buffer.prototype.toJSON]

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
