import { randomUUID } from 'node:crypto'
import { valueFor, valueFrom } from '../adapters/cache-manager/cache-manager-store.js'
import { getVersioned, type Versioned } from '../engine/for-adapters.js'
import type { DiskCache, Storing, Transaction } from '../engine/index.js'
import { selectingKey } from '../middleware/policy/vary.js'
import { type Answer, type Kept, readKept, storedAnswer, storedVariants, type Variants } from './answer.js'
import { digest, type HttpExchange } from './http-exchange.js'

/** A kept answer. */
export interface Hit {
  readonly answer: Answer
  /** When it was stored, in epoch milliseconds. */
  readonly storedAt: number
  readonly expiresAt?: number
}

/** A missing answer: where it should be stored. */
export interface Vacancy {
  /** The key of the computation. */
  readonly flight: string
  /** The present entry of the key: none, a list of variants, or an answer of another host or handler. */
  readonly found?: { readonly version: string; readonly variants?: Variants }
}

/** How an answer is stored. `ttl` is milliseconds or `null`. */
export type Keeping = Required<Pick<Storing, 'ttl' | 'tags'>>

/** An answer that was computed. */
export interface NewAnswer {
  readonly answer: Answer
  /** The fields that it names in `Vary`. */
  readonly vary: readonly string[]
  readonly keeping: Keeping
  /** Whether nothing of it was removed since its computation began. */
  readonly isStanding: () => boolean
}

/** Limit of the answers of one key, so that made-up fields of requests cannot fill the cache. */
const MOST_VARIANTS = 16
const LOCK_MILLISECONDS = 250

/** The answers of one key, as one request sees them. */
export class AnswerStore {
  readonly #cache: DiskCache
  readonly #key: string
  readonly #exchange: HttpExchange
  readonly #isNamed: boolean

  /** @param isNamed whether the app has chosen the key, which then stands for one answer, whatever host and handler */
  constructor(cache: DiskCache, key: string, exchange: HttpExchange, isNamed: boolean) {
    this.#cache = cache
    this.#key = key
    this.#exchange = exchange
    this.#isNamed = isNamed
  }

  /** Distinguishes the answers of a key, besides `Vary`. */
  get origin(): string | undefined {
    return this.#isNamed ? undefined : this.#exchange.origin
  }

  /** Looks for an answer. Returns no promise when it is available at once. */
  find(): Hit | Vacancy | Promise<Hit | Vacancy> {
    const item = getVersioned(this.#cache, this.#key)
    return item instanceof Promise ? item.then(found => this.#placeOf(found)) : this.#placeOf(item)
  }

  #placeOf(item: Versioned<unknown> | undefined): Hit | Vacancy | Promise<Hit | Vacancy> {
    if (!item) return { flight: this.#key }
    const kept = readKept(valueFrom(item.value))
    if ('variants' in kept) return this.#findVariant(item.version, kept.variants)
    if (kept.answer.origin === undefined || kept.answer.origin === this.origin) return hitOf(item, kept.answer)
    return { flight: this.#keyOf('', this.#selection([])), found: { version: item.version } }
  }

  /**
   * Decides what the computation of a missing answer stores.
   *
   * @returns the value for the key of the computation; `undefined`: none, because the answer was stored elsewhere
   */
  async settle({ found }: Vacancy, made: NewAnswer): Promise<unknown> {
    const { answer, vary } = made
    if (found === undefined) {
      if (vary.length === 0) return storedAnswer(answer)
      return storedVariants({ generation: randomUUID(), vary, known: [this.#selection(vary)] })
    }
    const { variants } = found
    if (variants && vary.every(name => variants.vary.includes(name))) {
      await this.#list(variants, this.#selection(variants.vary), made)
      return storedAnswer(answer)
    }
    const all = [...new Set([...(variants?.vary ?? []), ...vary])].sort()
    const next: Variants = { generation: randomUUID(), vary: all, known: [this.#selection(all)] }
    await this.#replace(found.version, next, made)
    return undefined
  }

  /** Stores the answer after its list of variants, unless the list was removed since. */
  async follow(stored: unknown, answer: Answer, keeping: Keeping): Promise<void> {
    const { variants } = readKept(stored) as Partial<Extract<Kept, { variants: Variants }>>
    if (!variants) return
    const at = this.#keyOf(variants.generation, this.#selection(variants.vary))
    await this.#transact([this.#key, at], tx => {
      if (this.#variantsIn(tx)?.generation === variants.generation)
        tx.set(at, valueFor(this.#cache, storedAnswer(answer)), keeping)
    })
  }

  async #findVariant(version: string, variants: Variants): Promise<Hit | Vacancy> {
    const key = this.#keyOf(variants.generation, this.#selection(variants.vary))
    const item = await getVersioned(this.#cache, key)
    const kept = item && readKept(valueFrom(item.value))
    if (item && kept && 'answer' in kept) return hitOf(item, kept.answer)
    return { flight: key, found: { version, variants } }
  }

  /** Adds a variant to the list, and removes the oldest when there are too many. */
  async #list({ generation }: Variants, selection: string, { keeping, isStanding }: NewAnswer): Promise<void> {
    const dropped = await this.#transact([this.#key], tx => {
      const now = this.#variantsIn(tx)
      if (now?.generation !== generation || !isStanding()) return []
      const known = [...now.known.filter(one => one !== selection), selection]
      tx.set(this.#key, storedVariants({ ...now, known: known.slice(-MOST_VARIANTS) }), keeping)
      return known.slice(0, -MOST_VARIANTS)
    })
    await this.#cache.deleteMany((dropped ?? []).map(one => this.#keyOf(generation, one)))
  }

  /** Replaces another entry by a list of variants, unless the entry has changed or the answer is outdated. */
  async #replace(version: string, next: Variants, { answer, keeping, isStanding }: NewAnswer): Promise<void> {
    const at = this.#keyOf(next.generation, next.known[0] ?? '')
    await this.#transact([this.#key, at], tx => {
      if (tx.info(this.#key)?.version !== version || !isStanding()) return
      tx.set(this.#key, storedVariants(next), keeping)
      tx.set(at, valueFor(this.#cache, storedAnswer(answer)), keeping)
    })
  }

  #transact<T>(keys: readonly string[], body: (tx: Transaction) => T): Promise<T | undefined> {
    return this.#cache.transact(body, { keys, timeout: LOCK_MILLISECONDS })
  }

  #variantsIn(tx: Transaction): Variants | undefined {
    const value = tx.get(this.#key)
    const kept = value === undefined ? undefined : readKept(value)
    return kept && 'variants' in kept ? kept.variants : undefined
  }

  #selection(vary: readonly string[]): string {
    return digest(`${this.origin ?? ''}\n${selectingKey(vary, this.#exchange.head)}`)
  }

  #keyOf(generation: string, selection: string): string {
    return `${this.#key}\n${generation}\n${selection}`
  }
}

function hitOf({ storedAt, expiresAt }: Versioned<unknown>, answer: Answer): Hit {
  return { answer, storedAt, expiresAt }
}
