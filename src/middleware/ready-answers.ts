import { validateHeaderName, validateHeaderValue } from 'node:http'
import type { Fields } from './policy/message.js'
import { decodeInline, isVariantList, type StoredHead, type VariantList } from './stored-head.js'

/** What the bytes of an entry say, made ready for being sent again and again. */
export interface Ready {
  readonly bytes: Buffer
  readonly variants?: VariantList
  readonly answer?: ReadyAnswer
}

/** A small answer whose fields need only be put on a response. */
export interface ReadyAnswer {
  readonly head: StoredHead
  readonly fields: Fields
  readonly varies: boolean
  /**
   * The body, each byte a character of Latin 1: as text it goes out in one piece with the head, in half the time of
   * two.
   */
  readonly text: string
}

/** What it takes in memory, beside the bytes. */
const OVERHEAD = 1024
const MOST_BYTES = 8 * 2 ** 20
/** Longer ones are not worth it: the body is what takes time. */
const LONGEST = 18 * 1024
/** Statuses whose answers have no body, or are put together from what is asked. */
const OTHER_STATUSES = new Set([204, 205, 206, 304])
/** Fields that are put together with those that are on the response already. */
const OTHER_FIELDS = ['cache-status', 'set-cookie']

/**
 * Remembers what was made of the bytes of entries. It is asked with the bytes that the database has now, and forgets
 * what was made of others: so it can never be wrong, only miss.
 */
export class ReadyAnswers {
  /** In two generations: what was used since the young one began is kept when the old one goes. */
  #young = new Map<string, Ready>()
  #old = new Map<string, Ready>()
  #bytes = 0

  /** `undefined` for bytes that are too many, or that somebody else has stored. */
  of(key: string, bytes: Buffer): Ready | undefined {
    const young = this.#young.get(key)
    if (young?.bytes.equals(bytes)) return young
    if (bytes.byteLength > LONGEST) return undefined
    const old = young ? undefined : this.#old.get(key)
    const ready = old?.bytes.equals(bytes) ? old : prepare(bytes)
    if (ready) this.#keep(key, ready)
    return ready
  }

  #keep(key: string, ready: Ready): void {
    this.#young.set(key, ready)
    this.#bytes += 2 * ready.bytes.byteLength + 2 * key.length + OVERHEAD
    if (this.#bytes < MOST_BYTES / 2) return
    this.#old = this.#young
    this.#young = new Map()
    this.#bytes = 0
  }
}

function prepare(bytes: Buffer): Ready | undefined {
  const seen = decodeInline(bytes)
  if (!seen) return undefined
  const { head, body } = seen
  if (isVariantList(head)) return { bytes, variants: head }
  return { bytes, answer: answerOf(head, body) }
}

function answerOf(head: StoredHead, body: Buffer): ReadyAnswer | undefined {
  const names = new Set(head.f.map(([name]) => name.toLowerCase()))
  const isPlain = names.size === head.f.length && head.s >= 200 && !OTHER_STATUSES.has(head.s)
  if (!isPlain || head.x !== undefined || head.u === 0 || OTHER_FIELDS.some(name => names.has(name))) return undefined
  // Sent with its body at once it would be damaged: see `endWith`.
  if (head.f.some(([name, value]) => name.toLowerCase() === 'content-disposition' && /[^\x20-\x7e]/.test(value)))
    return undefined
  const fields = head.f.filter(([name]) => name.toLowerCase() !== 'age')
  if (!names.has('content-length')) fields.push(['Content-Length', String(body.byteLength)])
  return isValid(fields) ? { head, fields, varies: names.has('vary'), text: body.toString('latin1') } : undefined
}

/** What lies in a database may have been changed there. */
function isValid(fields: Fields): boolean {
  try {
    for (const [name, value] of fields) {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    }
    return true
  } catch {
    return false
  }
}
