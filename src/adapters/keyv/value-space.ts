import type { Valued } from '../../engine/for-adapters.js'
import type { Namespaced } from '../namespaced.js'
import { isEnvelope, readEnvelope, storeText, storeValue, textOf, unmarked, writeEnvelope } from './stored-values.js'

/** The result of a read for Keyv: its string, or an envelope. */
export type Answer<Value = unknown> = string | Answered<Value> | undefined

/** An envelope of Keyv. */
export interface Answered<Value = unknown> {
  /** The value. */
  readonly value?: Value
  /** When it expires, in epoch milliseconds. Absent: never. */
  readonly expires?: number | undefined
}

/** Converts an argument of Keyv to its stored form. */
export function toStored(given: unknown, { boxes }: Pick<Namespaced, 'boxes'>): unknown {
  if (typeof given === 'string') return storeText(given)
  return storeValue(isEnvelope(given) ? given.value : given, boxes)
}

/** Whether Keyv reads strings of its serializer. */
interface Reading {
  readonly plain: boolean
}

/** Converts an entry to the result for Keyv. */
export function toAnswer<Value>(found: Valued<unknown> | undefined, { plain }: Reading): Answer<Value> {
  if (found === undefined) return undefined
  const text = textOf(found.value)
  if (text === undefined) return { value: unmarked(found.value) as Value, expires: expiryOf(found) }
  if (plain) return text
  const read = readEnvelope(text)
  return read && { value: read.value as Value, expires: expiryOf(found) }
}

/** Keys with their results. Keyv's own types declare them as values. */
export type Answers<Value = unknown> = AsyncGenerator<[key: string, answer: Value | undefined], void>

/** Lists the entries of a namespace in a form that Keyv's iterators read. */
export async function* answers<Value>(space: Namespaced, { plain }: Reading): Answers<Value> {
  for await (const [key, stored] of space.entries()) {
    const answer = toAnswer({ value: stored, expiresAt: undefined }, { plain })
    // The iterator of a plain Keyv reads strings only.
    const read = plain && typeof answer === 'object' ? writeEnvelope(answer) : answer
    if (read !== undefined) yield [key, read as Value]
  }
}

/** The expiry in whole milliseconds, as Keyv compares them. */
function expiryOf({ expiresAt }: Valued<unknown>): number | undefined {
  return expiresAt === undefined ? undefined : Math.ceil(expiresAt)
}
