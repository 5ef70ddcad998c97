import type { Fields } from '../middleware/policy/message.js'

/** Whose requests may be given an answer: of those without credentials, with cookies too, or with any. */
export type Reach = 0 | 1 | 2

/** What is kept of an answer. */
export interface Answer {
  readonly body: unknown
  /** Absent: the one that the handler has anyway. */
  readonly status?: number
  /** What the handler has set. */
  readonly fields: Fields
  readonly reach: Reach
  /** Which scheme, host and handler it is of; absent for keys that the app has chosen. */
  readonly origin?: string
}

/** Stands at a key whose answers differ by more than the key. They lie at keys of their own, while this does. */
export interface Variants {
  /** Part of their keys: when this entry is removed, they are out of reach. */
  readonly generation: string
  /** The fields of requests by which they differ. */
  readonly vary: readonly string[]
  /** The ends of their keys, the oldest first. */
  readonly known: readonly string[]
}

export type Kept = { readonly answer: Answer } | { readonly variants: Variants }

const MARK = 'fanout-cache:kept'

/**
 * What lies in the cache for an answer: the body alone where that is all there is to know, so that `cacheManager.get(key)`
 * answers what the handler did.
 */
export function storedAnswer(answer: Answer): unknown {
  const { body, status, fields, reach, origin } = answer
  const isBare = status === undefined && fields.length === 0 && reach === 0 && origin === undefined && !isMarked(body)
  return isBare ? body : { [MARK]: 'answer', ...answer }
}

export function storedVariants(variants: Variants): unknown {
  return { [MARK]: 'variants', ...variants }
}

/** What a stored value says. */
export function readKept(value: unknown): Kept {
  if (!isMarked(value)) return { answer: { body: value, fields: [], reach: 0 } }
  return value[MARK] === 'variants' ? { variants: value } : { answer: value }
}

/** What is more than a bare body. */
type Marked = (Variants & { readonly [MARK]: 'variants' }) | (Answer & { readonly [MARK]: 'answer' })

function isMarked(value: unknown): value is Marked {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, MARK)
}
