import type { Valued } from '../../engine/for-adapters.js'
import type { Namespaced } from '../namespaced.js'
import {
  type Envelope,
  isEnvelope,
  readEnvelope,
  storeText,
  storeValue,
  textOf,
  unmarked,
  writeEnvelope,
} from './stored-values.js'

/** What a store answers to Keyv: its string, or the envelope itself. */
export type Answer = string | Envelope | undefined

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
export function toAnswer(found: Valued<unknown> | undefined, plain: boolean): Answer {
  if (found === undefined) return undefined
  const text = textOf(found.value)
  if (text === undefined) return { value: unmarked(found.value), expires: expiryOf(found) }
  if (plain) return text
  const read = readEnvelope(text)
  return read && { value: read.value, expires: expiryOf(found) }
}

/** The entries of a namespace with what Keyv's iterators can read. */
export async function* answers(
  space: Namespaced,
  plain: boolean,
): AsyncGenerator<[key: string, answer: string | Envelope]> {
  for await (const [key, stored] of space.entries()) {
    const answer = toAnswer({ value: stored, expiresAt: undefined }, plain)
    // A plain Keyv iterates over strings only.
    if (answer !== undefined) yield [key, plain && typeof answer !== 'string' ? writeEnvelope(answer) : answer]
  }
}

/** Keyv compares with whole milliseconds. */
function expiryOf({ expiresAt }: Valued<unknown>): number | undefined {
  return expiresAt === undefined ? undefined : Math.ceil(expiresAt)
}
