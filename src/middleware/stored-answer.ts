import { randomUUID } from 'node:crypto'
import { type DoorEntry, type DoorLease, type DoorStore, kindOf, type Sighting } from '../engine/for-doors.js'
import type { GrowingAnswer } from './growing-answer.js'
import type { HttpRequest } from './http-message.js'
import type { Found } from './lookup.js'
import { decode } from './lookup.js'
import type { Settings } from './options.js'
import { validatorsOf } from './policy/conditional.js'
import { formatHttpDate } from './policy/dates.js'
import { fieldLines, hasField, listMembers } from './policy/fields.js'
import { freshnessOf } from './policy/freshness.js'
import type { Fields, RequestHead, ResponseHead, StoredResponse } from './policy/message.js'
import { ageingOf, decide } from './policy/reuse.js'
import { staleWindows } from './policy/stale-windows.js'
import { varyOf } from './policy/vary.js'
import { encodeInline, encodeMeta, isVariantList, type StoredHead, type Variant } from './stored-head.js'

const PLAIN: RequestHead = { method: 'GET', url: '', fields: [] }
/** How long what cannot be validated is kept when it is stale, for clients that take it. */
const STALE_MILLISECONDS = 60_000
/** Tags that one answer can have. */
const MOST_TAGS = 256

/** An answer as it came from the handler, with the date that it is stored with. */
export function receivedAnswer(head: ResponseHead, requestedAt: number, receivedAt: number): StoredResponse {
  const { status, fields } = head
  const dated: Fields = hasField(fields, 'Date') ? fields : [...fields, ['Date', formatHttpDate(receivedAt)]]
  return { status, fields: dated, requestedAt, receivedAt }
}

/** The head of an answer as it is stored. */
function headOf(
  stored: StoredResponse,
  { policy }: Settings,
  { id, tags }: { readonly id: string; readonly tags: readonly string[] },
): StoredHead {
  const { status, fields, requestedAt, receivedAt } = stored
  const { age, ttl } = ageingOf(stored, receivedAt, policy)
  const isFresh = ttl > 0 && decide(PLAIN, stored, receivedAt, policy).kind === 'fresh'
  return {
    v: 1,
    s: status,
    f: fields,
    q: requestedAt,
    r: receivedAt,
    b: receivedAt - age,
    u: isFresh ? receivedAt + ttl : 0,
    i: id,
    ...(tags.length > 0 && { g: tags }),
    ...(freshnessOf(stored, policy).source === 'option' && { t: 1 as const }),
  }
}

/** How long an answer is worth keeping from now on, stale time included. Milliseconds. */
function keepingTime(stored: StoredResponse, { policy, keepStale }: Settings, now: number): number {
  const { ttl } = ageingOf(stored, now, policy)
  const { whileRevalidate, ifError } = staleWindows(stored, policy)
  const { etag, lastModified } = validatorsOf(stored.fields)
  const validation = etag !== undefined || lastModified !== undefined ? keepStale : 0
  // A client may take stale answers (RFC 9111 §5.2.1.2): all are kept a while longer than they are fresh.
  return Math.max(0, ttl) + Math.max(whileRevalidate, ifError, validation, STALE_MILLISECONDS)
}

/**
 * The tags of an answer: those of the option, and those in `Cache-Tag` (by commas) and `Surrogate-Key` (by spaces).
 *
 * @param head the answer as the option is given it
 * @throws TypeError when the option answered no tags; RangeError for too many: without the rest of them no purge of
 *   these would reach the answer
 */
export function tagsOf(
  { tags: option = [] }: Settings,
  request: HttpRequest,
  head: ResponseHead,
  response: ResponseHead,
): readonly string[] {
  const given = typeof option === 'function' ? option(request, head) : option
  if (!Array.isArray(given) || !given.every(tag => typeof tag === 'string')) {
    throw new TypeError(`responseCache: tags must return an array of strings, got ${kindOf(given)}`)
  }
  const tags = united(given, response)
  if (tags.length <= MOST_TAGS) return tags
  throw new RangeError(`responseCache: an answer can have ${MOST_TAGS} tags, got ${tags.length}`)
}

/** The given tags and those that the fields name, each once. */
function united(given: readonly string[], { fields }: ResponseHead): string[] {
  const named = listMembers(fieldLines(fields, 'Cache-Tag'))
  const keys = fieldLines(fields, 'Surrogate-Key').flatMap(line => line.split(/\s+/))
  return [...new Set([...given, ...named, ...keys].filter(tag => tag !== '' && tag.isWellFormed()))]
}

/** The head of an answer that was renewed. It keeps its tags, and gets those that its fields name by now. */
export function renewedHead(
  { i: id = '', g: tags = [] }: StoredHead,
  renewed: StoredResponse,
  settings: Settings,
): StoredHead {
  return headOf(renewed, settings, { id, tags: united(tags, renewed) })
}

/** The request fields that select an answer, sorted. */
export function selectingNames(response: ResponseHead, settings: Settings): readonly string[] {
  const names = varyOf(response.fields)
  return names === '*' ? [] : [...new Set([...names, ...settings.vary])].sort()
}

/** Stores an answer whose body is complete. When it cannot be stored, nothing of it is left. Resolves to whether it was. */
export async function storeAnswer(
  store: DoorStore,
  settings: Settings,
  lease: DoorLease,
  answer: GrowingAnswer,
): Promise<boolean> {
  const { at, names, stored, tags, spool } = answer
  const id = randomUUID()
  const entry = entryOf(store, settings, answer, id)
  if (!entry) return released(store, lease)
  if (at === lease.key) {
    const isLess = (current: Sighting | undefined): boolean => stored.status === 206 && hasWhole(current)
    return store.land(lease, tags, current => (isLess(current) ? undefined : entry), spool.file)
  }
  // The list names the variant: until it does, the variant is not there, and when the list is purged, it never was.
  const until = store.now() + entry.ttl
  if (!(await store.put(at, entry))) return released(store, lease)
  let dropped: readonly string[] = []
  const landed = await store.land(lease, tags, current => {
    const list = current && decode(current)
    const known = list && isVariantList(list.head) ? list.head.variants : []
    const now = store.now()
    const others = known.filter(one => one.k !== at && one.e > now)
    dropped = others.slice(settings.maxVariants - 1).map(one => one.k)
    return listEntry(store, [{ n: names, k: at, i: id, e: until }, ...others].slice(0, settings.maxVariants))
  })
  const gone = landed ? dropped : [at]
  if (gone.length > 0) await store.edit(gone, () => 'remove').catch(error => store.tell(error))
  return landed
}

/** Renews the fields of an answer that a 304 has confirmed; its body stays where it is. Resolves to whether it did. */
export async function renewAnswer(
  store: DoorStore,
  settings: Settings,
  lease: DoorLease,
  found: Found,
  stored: StoredResponse,
): Promise<boolean> {
  const head = renewedHead(found.head, stored, settings)
  const { g: tags = [] } = head
  const ttl = keepingTime(stored, settings, store.now())
  const meta = found.body ? '' : encodeMeta(head)
  if (meta === undefined || tags.length > MOST_TAGS) return released(store, lease)
  const value = found.body ? { bytes: encodeInline(head, found.body) } : { meta, version: found.version }
  const entry: DoorEntry = { value, ttl, tags }
  if (found.key === lease.key) {
    return store.land(lease, tags, current => (current?.version === found.version ? entry : undefined))
  }
  const landed = await store.land(lease, tags, current => {
    const list = current && decode(current)
    if (!list || !isVariantList(list.head)) return undefined
    const variants = list.head.variants.map(one => (one.k === found.key ? { ...one, e: store.now() + ttl } : one))
    if (!variants.some(one => one.k === found.key && one.i === found.head.i)) return undefined
    return listEntry(store, variants)
  })
  return landed && store.put(found.key, entry, found.version)
}

function released(store: DoorStore, lease: DoorLease): false {
  store.release(lease)
  return false
}

/** Whether more is stored than a part, which a part must not replace. */
function hasWhole(current: Sighting | undefined): boolean {
  const seen = current && decode(current)
  return !!seen && (isVariantList(seen.head) || seen.head.s !== 206)
}

function entryOf(
  store: DoorStore,
  settings: Settings,
  { stored, tags, spool }: GrowingAnswer,
  id: string,
): DoorEntry | undefined {
  const head = headOf(stored, settings, { id, tags })
  const ttl = keepingTime(stored, settings, store.now())
  const { bytes, file } = spool
  if (bytes && !file) return { value: { bytes: encodeInline(head, bytes) }, ttl, tags }
  const meta = encodeMeta(head)
  return file && meta !== undefined ? { value: { file, meta }, ttl, tags } : undefined
}

/** The list lives as long as the longest of its variants. It has no tags: what they name goes by itself. */
function listEntry(store: DoorStore, variants: readonly Variant[]): DoorEntry {
  const ttl = Math.max(...variants.map(({ e }) => e)) - store.now()
  return { value: { bytes: encodeInline({ v: 1, variants }) }, ttl: Math.max(1, ttl), tags: [] }
}
