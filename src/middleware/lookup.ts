import { type DoorStore, isTraced, type Sighting } from '../engine/for-doors.js'
import type { StoredFile } from '../engine/index.js'
import type { Exchange } from './core.js'
import { variantKey } from './policy/cache-key.js'
import type { RequestHead } from './policy/message.js'
import { decide } from './policy/reuse.js'
import { selectingKey } from './policy/vary.js'
import {
  decodeInline,
  isVariantList,
  parseHead,
  type StoredHead,
  toStored,
  type Variant,
  type VariantList,
} from './stored-head.js'

/** A stored answer for a request. */
export interface Found {
  readonly key: string
  readonly head: StoredHead
  /** Its body, if small. Otherwise it is in a file. */
  readonly body: Buffer | undefined
  /** Its open file, if held. It can be read once, whatever happens to the entry. */
  readonly file?: StoredFile
  readonly version: string
}

/** The result of a lookup for a request. */
export interface Lookup {
  readonly found?: Found
  /** Whether something is stored for the URI, even if it is another variant. */
  readonly known: boolean
  /** The subject of a flight for the request: the key, or that of the variant that is expected. */
  readonly subject: string
  /** The entries that were read: the list of variants and the answer. */
  readonly list?: Sighting
  readonly answer?: Sighting
}

/** Looks up the answer for a request, which those who trace hear of. */
export function lookUpFor(exchange: Exchange): Promise<Lookup> {
  const { core, key, request } = exchange
  const { store } = core
  if (!isTraced()) return lookUp(store, key, request)
  const run = (): Promise<Lookup> => lookUp(store, key, request)
  return store.traced('responseCache.lookup', key, run, ({ found }) => (found ? freshnessOf(exchange, found) : 'miss'))
}

/** Whether an answer that was found may be used as it is, or is stale or has to be validated. */
function freshnessOf({ core, request }: Exchange, { head }: Found): 'hit' | 'stale' {
  return decide(request, toStored(head), core.store.now(), core.settings.policy).kind === 'fresh' ? 'hit' : 'stale'
}

/** Looks up the answer for a request (RFC 9111 §4.1). {@link count} counts it. */
export async function lookUp(store: DoorStore, key: string, request: RequestHead): Promise<Lookup> {
  const sighting = await store.look(key)
  const seen = sighting && decode(sighting)
  if (!seen) return { known: false, subject: key }
  if (!isVariantList(seen.head)) {
    const found = foundOf(key, seen.head, seen.body, sighting.version)
    return { known: true, subject: key, found, answer: sighting }
  }
  const { subject, variant } = chooseVariant(key, seen.head, request)
  const chosen = variant && (await findVariant(store, variant))
  return { known: true, subject, list: sighting, ...chosen }
}

/** Counts a request as a hit or miss, and notes the use of its list of variants. */
export function count(store: DoorStore, key: string, { found, list, answer }: Lookup): void {
  if (list) store.note(key, list, 'guide')
  store.note(found?.key ?? key, answer)
}

/** Opens the file of an answer. `undefined` when it was replaced meanwhile. */
export async function openBody(store: DoorStore, found: Found): Promise<StoredFile | undefined> {
  const file = await store.openFile(found.key)
  if (!file) return undefined
  // Each stored answer has a name of its own, so that its fields may have been renewed meanwhile but not its file.
  const { i: name } = (file.meta ?? {}) as { readonly i?: unknown }
  const isSame = file.version === found.version || (!!name && name === found.head.i)
  if (isSame && file.path !== undefined) return file
  await file.close()
  return undefined
}

/** Holds the body of an answer while the handler validates it. `undefined` when it is gone already. */
export async function holdBody(store: DoorStore, found: Found): Promise<Found | undefined> {
  if (found.body) return found
  const file = await openBody(store, found)
  return file && { ...found, file }
}

/** Decodes the list of variants or the answer of an entry. `undefined` for an entry of somebody else. */
export function decode(
  sighting: Sighting,
): { readonly head: StoredHead | VariantList; readonly body?: Buffer } | undefined {
  if (sighting.bytes) return decodeInline(sighting.bytes)
  const head = sighting.meta === undefined ? undefined : parseHead(sighting.meta)
  return head && { head }
}

/** The variant that a request selects (RFC 9111 §4.1) and its key. */
export function chooseVariant(
  key: string,
  { variants }: VariantList,
  request: Pick<RequestHead, 'fields'>,
): { readonly subject: string; readonly variant?: Variant } {
  let subject: string | undefined
  // Remembered, since most variants depend on the same fields, which may be hundreds.
  const keys = new Map<string, string>()
  for (const variant of variants) {
    const names = variant.n.join()
    const wanted = keys.get(names) ?? variantKey(key, selectingKey(variant.n, request))
    keys.set(names, wanted)
    subject ??= wanted
    if (wanted === variant.k) return { subject: wanted, variant }
  }
  return { subject: subject ?? key }
}

async function findVariant(store: DoorStore, variant: Variant): Promise<Pick<Lookup, 'found' | 'answer'> | undefined> {
  const sighting = await store.look(variant.k)
  const seen = sighting && decode(sighting)
  if (!seen || isVariantList(seen.head) || seen.head.i !== variant.i) return undefined
  return { found: foundOf(variant.k, seen.head, seen.body, sighting.version), answer: sighting }
}

function foundOf(key: string, head: StoredHead, body: Buffer | undefined, version: string): Found {
  return { key, head, body, version }
}
