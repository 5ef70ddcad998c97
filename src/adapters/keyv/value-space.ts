import type { Valued } from '../../engine/for-adapters.js'
import type { Namespaced } from '../namespaced.js'
import { isEnvelope, readEnvelope, storeText, storeValue, textOf, unmarked, writeEnvelope } from './stored-values.js'

/** What a store answers to Keyv: its string, or the envelope itself. */
export type Answer<Value = unknown> = string | Answered<Value> | undefined

/** An envelope that a store answers; `expires` in epoch milliseconds. */
export interface Answered<Value = unknown> {
  readonly value?: Value
  readonly expires?: number | undefined
}

/** What is stored for what a Keyv gives to its store. */
export function toStored(given: unknown, { boxes }: Pick<Namespaced, 'boxes'>): unknown {
  if (typeof given === 'string') return storeText(given)
  return storeValue(isEnvelope(given) ? given.value : given, boxes)
}

/**
 * What a store answers for an entry.
 *
 * @param plain whether Keyv reads the strings that its serializer has made
 */
export function toAnswer<Value>(found: Valued<unknown> | undefined, plain: boolean): Answer<Value> {
  if (found === undefined) return undefined
  const text = textOf(found.value)
  if (text === undefined) return { value: unmarked(found.value) as Value, expires: expiryOf(found) }
  if (plain) return text
  const read = readEnvelope(text)
  return read && { value: read.value as Value, expires: expiryOf(found) }
}

/** Keys and what a store answers for them; Keyv's own type says that it were the values. */
export type Answers<Value = unknown> = AsyncGenerator<[key: string, answer: Value | undefined], void>

/** The entries of a namespace with what Keyv's iterators can read. */
export async function* answers<Value>(space: Namespaced, plain: boolean): Answers<Value> {
  for await (const [key, stored] of space.entries()) {
    const answer = toAnswer({ value: stored, expiresAt: undefined }, plain)
    // A plain Keyv iterates over strings only.
    const read = plain && typeof answer === 'object' ? writeEnvelope(answer) : answer
    if (read !== undefined) yield [key, read as Value]
  }
}

/** Keyv compares with whole milliseconds. */
function expiryOf({ expiresAt }: Valued<unknown>): number | undefined {
  return expiresAt === undefined ? undefined : Math.ceil(expiresAt)
}
