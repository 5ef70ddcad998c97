import type { Fields } from '../middleware/policy/message.js'

/** The requests that may get an answer. 0: without credentials; 1: also with cookies; 2: with any credentials. */
export type Reach = 0 | 1 | 2

/** A kept answer. */
export interface Answer {
  readonly body: unknown
  /** Absent: the default status of the handler. */
  readonly status?: number
  /** The fields that the handler has set. */
  readonly fields: Fields
  readonly reach: Reach
  /** Its scheme, host and handler. Absent for keys chosen by the app. */
  readonly origin?: string
}

/** The entry of a key with several answers, which lie at keys of their own. */
export interface Variants {
  /** A part of their keys. When this entry is removed, they are unreachable. */
  readonly generation: string
  /** The request fields by which they differ. */
  readonly vary: readonly string[]
  /** The last parts of their keys, the oldest first. */
  readonly known: readonly string[]
}

export type Kept = { readonly answer: Answer } | { readonly variants: Variants }

const MARK = 'fanout-cache:kept'

/**
 * The stored form of an answer. It is the bare body if nothing else has to be kept, so that `cacheManager.get(key)`
 * returns the value of the handler.
 */
export function storedAnswer(answer: Answer): unknown {
  const { body, status, fields, reach, origin } = answer
  const isBare = status === undefined && fields.length === 0 && reach === 0 && origin === undefined && !isMarked(body)
  return isBare ? body : { [MARK]: 'answer', ...answer }
}

export function storedVariants(variants: Variants): unknown {
  return { [MARK]: 'variants', ...variants }
}

/** Decodes a stored value. */
export function readKept(value: unknown): Kept {
  if (!isMarked(value)) return { answer: { body: value, fields: [], reach: 0 } }
  return value[MARK] === 'variants' ? { variants: value } : { answer: value }
}

/** The marked forms of entries that are more than a bare body. */
type Marked = (Variants & { readonly [MARK]: 'variants' }) | (Answer & { readonly [MARK]: 'answer' })

function isMarked(value: unknown): value is Marked {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, MARK)
}
