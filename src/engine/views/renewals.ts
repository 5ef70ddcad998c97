import { type KeyIdentity, keyIdentity, lastingIdentity } from '../disk/keys.js'
import type { Key } from '../options.js'
import type { ResolvedModel } from './model.js'
import type { ModelStore } from './model-store.js'

/** An expiry is renewed when this part of the time to live has passed, which limits the writes for a hot entry. */
const PART = 1 / 8
/** Limit of entries whose next renewal is remembered. For any other entry a read examines the entry itself. */
const MOST_KNOWN = 10_000

/** What is remembered of an entry that was examined. Milliseconds. */
interface Examined {
  /** The time to live that it had. Under another one it was stored anew, and may end before `due`. */
  readonly ttl: number
  /** When it should be examined again, since the epoch. */
  readonly due: number
}

/** Sliding expiry: reads renew the time to live, but seldom enough that reads do not become writes. */
export class Renewals {
  readonly #model: ResolvedModel
  readonly #store: ModelStore
  readonly #examined = new Map<KeyIdentity, Examined>()

  constructor(model: ResolvedModel, store: ModelStore) {
    this.#model = model
    this.#store = store
  }

  /** @param own the time to live of this entry, if it has its own. Milliseconds */
  async read(key: Key, own: number | null | undefined): Promise<void> {
    const ttl = own === undefined ? this.#model.ttl : own
    if (typeof ttl !== 'number' || this.#store.access.handle.options.readonly) return
    const encoded = this.#store.access.encodeKey(key)
    const now = this.#store.now()
    const known = this.#examined.get(keyIdentity(encoded))
    if (known?.ttl === ttl && now < known.due && known.due - now <= ttl) return
    const renewedUntil = await this.#store.renew(key, ttl, ttl * PART)
    if (this.#examined.size >= MOST_KNOWN) this.#examined.clear()
    this.#examined.set(lastingIdentity(encoded), { ttl, due: renewedUntil - ttl * (1 - PART) })
  }
}
