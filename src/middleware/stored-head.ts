import type { Fields, StoredResponse } from './policy/message.js'

/** What is kept of an answer beside its body. Short names: it is read at every hit. Instants are epoch milliseconds. */
export interface StoredHead {
  /** Version of this form. */
  readonly v: 1
  readonly s: number
  readonly f: Fields
  readonly q: number
  readonly r: number
  /** The instant at which its age was 0. */
  readonly b: number
  /** Until when it is fresh for a request that asks for nothing special; 0: it is to be validated at every use. */
  readonly u: number
  /** Marked as stale by a soft purge. */
  readonly x?: number
  /** Names this variant: the list of variants names it too. */
  readonly i?: string
  readonly g?: readonly string[]
  /** Fresh only because the route says so: not for requests with cookies or authorization. */
  readonly t?: 1
  /** May be given to requests with Authorization (RFC 9111 §3.5). */
  readonly o?: 1
}

/** The list of the variants of a URI, which lies under its key when its answers vary. */
export interface VariantList {
  readonly v: 1
  readonly variants: readonly Variant[]
}

export interface Variant {
  /** Names of the fields that select it. */
  readonly n: readonly string[]
  /** Its key. */
  readonly k: string
  /** The name that its entry must have. */
  readonly i: string
  /** When its entry goes. */
  readonly e: number
}

const HEAD_LENGTH = 4
const LONGEST_HEAD = 15 * 1024

/** One value of head and body, for what is small. */
export function encodeInline(head: StoredHead | VariantList, body?: Buffer): Buffer {
  const text = Buffer.from(JSON.stringify(head))
  const whole = Buffer.allocUnsafe(HEAD_LENGTH + text.byteLength + (body?.byteLength ?? 0))
  whole.writeUInt32LE(text.byteLength, 0)
  text.copy(whole, HEAD_LENGTH)
  body?.copy(whole, HEAD_LENGTH + text.byteLength)
  return whole
}

/** `undefined` for bytes that somebody else has stored under the key. */
export function decodeInline(
  bytes: Buffer,
): { readonly head: StoredHead | VariantList; readonly body: Buffer } | undefined {
  if (bytes.byteLength < HEAD_LENGTH) return undefined
  const end = HEAD_LENGTH + bytes.readUInt32LE(0)
  if (end > bytes.byteLength) return undefined
  const head = parseHead(bytes.toString('utf8', HEAD_LENGTH, end))
  return head && { head, body: bytes.subarray(end) }
}

export function parseHead(text: string): StoredHead | VariantList | undefined {
  try {
    const head: unknown = JSON.parse(text)
    return isHead(head) ? head : undefined
  } catch {
    return undefined
  }
}

/** The head as metadata of a file; `undefined` when it is too long for that. */
export function encodeMeta(head: StoredHead): string | undefined {
  const text = JSON.stringify(head)
  return Buffer.byteLength(text) > LONGEST_HEAD ? undefined : text
}

export function isVariantList(head: StoredHead | VariantList): head is VariantList {
  return 'variants' in head
}

/** The answer as the rules see it. */
export function toStored(head: StoredHead): StoredResponse {
  const { s, f, q, r, x } = head
  return { status: s, fields: f, requestedAt: q, receivedAt: r, ...(x !== undefined && { staleSince: x }) }
}

function isHead(head: unknown): head is StoredHead | VariantList {
  if (typeof head !== 'object' || head === null || (head as { v?: unknown }).v !== 1) return false
  const { variants, s, f } = head as { variants?: unknown; s?: unknown; f?: unknown }
  return Array.isArray(variants) || (typeof s === 'number' && Array.isArray(f))
}
