import type { Fields, StoredResponse } from './policy/message.js'

/** The stored head of an answer. Names are short, since it is read at every hit. Instants are epoch milliseconds. */
export interface StoredHead {
  /** Version of this form. */
  readonly v: 1
  /** The status. */
  readonly s: number
  /** The fields. */
  readonly f: Fields
  /** When the handler was asked. */
  readonly q: number
  /** When it answered. */
  readonly r: number
  /** The instant at which its age was 0. */
  readonly b: number
  /** Until when it is fresh for a request without special directives. 0: it must be validated at every use. */
  readonly u: number
  /** When a soft purge marked it as stale. */
  readonly x?: number
  /** The name of this variant, which the list of variants contains too. */
  readonly i?: string
  /** The tags. */
  readonly g?: readonly string[]
  /** Whether it is fresh only by options of the route, and therefore not for requests with cookies or authorization. */
  readonly t?: 1
}

/** The list of the variants of a URI. It is the entry of its key when its answers vary. */
export interface VariantList {
  readonly v: 1
  readonly variants: readonly Variant[]
}

export interface Variant {
  /** Names of the fields that select the variant. */
  readonly n: readonly string[]
  /** Its key. */
  readonly k: string
  /** The name that its entry must have. */
  readonly i: string
  /** When its entry expires. */
  readonly e: number
}

const HEAD_LENGTH = 4
const LONGEST_HEAD = 15 * 1024

/** Encodes head and body of a small answer as one value. */
export function encodeInline(head: StoredHead | VariantList, body?: Buffer): Buffer {
  const text = Buffer.from(JSON.stringify(head))
  const whole = Buffer.allocUnsafe(HEAD_LENGTH + text.byteLength + (body?.byteLength ?? 0))
  whole.writeUInt32LE(text.byteLength, 0)
  text.copy(whole, HEAD_LENGTH)
  body?.copy(whole, HEAD_LENGTH + text.byteLength)
  return whole
}

/** Decodes such a value. `undefined` for bytes that somebody else has stored under the key. */
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

/** Encodes a head as metadata of a file. `undefined` when it is too long for that. */
export function encodeMeta(head: StoredHead): string | undefined {
  const text = JSON.stringify(head)
  return Buffer.byteLength(text) > LONGEST_HEAD ? undefined : text
}

export function isVariantList(head: StoredHead | VariantList): head is VariantList {
  return 'variants' in head
}

/** The answer in the form of the rules. */
export function toStored(head: StoredHead): StoredResponse {
  const { s, f, q, r, x } = head
  return { status: s, fields: f, requestedAt: q, receivedAt: r, ...(x !== undefined && { staleSince: x }) }
}

/** Whether data has the form of a head. What lies in a database may have been changed there. */
function isHead(head: unknown): head is StoredHead | VariantList {
  if (!isRecord(head) || head['v'] !== 1) return false
  const { variants } = head
  return variants === undefined ? isAnswer(head) : Array.isArray(variants) && variants.every(isVariant)
}

function isAnswer({ s, f, q, r, b, u, x = 0, i = '', g = [] }: Record<string, unknown>): boolean {
  const hasStatus = typeof s === 'number' && Number.isInteger(s) && s >= 200 && s <= 599
  const hasInstants = [q, r, b, u, x].every(instant => typeof instant === 'number')
  return hasStatus && hasInstants && Array.isArray(f) && f.every(isField) && typeof i === 'string' && areStrings(g)
}

function isField(field: unknown): boolean {
  return Array.isArray(field) && field.length === 2 && typeof field[0] === 'string' && typeof field[1] === 'string'
}

function isVariant(variant: unknown): boolean {
  if (!isRecord(variant)) return false
  const { n, k, i, e } = variant
  return areStrings(n) && typeof k === 'string' && typeof i === 'string' && typeof e === 'number'
}

function areStrings(list: unknown): boolean {
  return Array.isArray(list) && list.every(one => typeof one === 'string')
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
