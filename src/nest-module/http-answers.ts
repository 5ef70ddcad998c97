import { OwnComputation } from '../adapters/own-computation.js'
import type { CacheStatus } from '../middleware/policy/cache-status.js'
import { ageField, currentAge } from '../middleware/policy/freshness.js'
import { DEFAULT_POLICY } from '../middleware/policy/options.js'
import { bypassOf, demandsOf } from '../middleware/policy/request-directives.js'
import { type Answer, readKept } from './answer.js'
import { AnswerStore, type Hit, type Keeping, type Vacancy } from './answer-store.js'
import type { CacheHost } from './cache-host.js'
import { type ComputationContext, computeOnce } from './compute-once.js'
import type { HttpExchange } from './http-exchange.js'
import { credentialsOf, reachOf, type Terms, verdictOn } from './http-rules.js'
import { isStreaming, type Sendable, sendableOf } from './sendable.js'

/** A request whose answer may be kept. */
export interface CacheableRequest {
  readonly host: CacheHost
  readonly exchange: HttpExchange
  /** The key in the cache manager. */
  readonly key: string
  /** Whether the app has chosen the key. */
  readonly isNamed: boolean
  readonly tags: readonly string[]
  readonly terms: Terms
  /** Prepares to run the handler. Called at most once, in the async context of the request. */
  readonly prepare: () => () => Promise<unknown>
  /** Serializes the value of a handler as far as that depends on its class. */
  readonly serialize: (value: unknown) => Promise<unknown>
  /** Called before an answer is sent. `undefined` when it was not kept. */
  readonly onFound: (body: unknown) => void
}

/** How long a request waits for the handler of another request. Milliseconds. */
const PATIENCE = 5000
const MOST_ROUNDS = 3
const NAME = DEFAULT_POLICY.name

/** Whether the cache may serve a request. */
export function concernsCache(exchange: HttpExchange): boolean {
  if (!CONTROLS.some(name => exchange.has(name))) return true
  const { head } = exchange
  return bypassOf(head) === undefined && !demandsOf(head, DEFAULT_POLICY).noStore
}

/** The fields that could exclude a GET or HEAD from the cache. Most requests have none of them. */
const CONTROLS = ['upgrade', 'content-length', 'transfer-encoding', 'cache-control', 'pragma']

/** The body of the answer to a request: a kept one, or that of the handler. */
export function answerRequest(request: CacheableRequest): Promise<unknown> {
  return new Answering(request).answer()
}

class Answering {
  readonly #request: CacheableRequest
  readonly #store: AnswerStore
  readonly #key: string
  /** The value that the handler returned for this request. */
  #made: { readonly value: unknown } | undefined
  #handle: (() => Promise<unknown>) | undefined
  /** For keys chosen by the app, which what the handler calls may use too. */
  #own: OwnComputation | undefined

  constructor(request: CacheableRequest) {
    const { host, key, exchange, isNamed } = request
    this.#request = request
    this.#key = host.keyOf(key)
    this.#store = new AnswerStore(host.cache, this.#key, exchange, isNamed)
  }

  async answer(): Promise<unknown> {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const found = this.#find()
      const place = found instanceof Promise ? await found : found
      if (place === undefined) break
      if ('answer' in place) {
        if (!this.#mayHave(place.answer.reach)) return this.#pass('credentials')
        if (this.#replay(place, { collapsed: round > 0 })) return place.answer.body
        break
      }
      if (this.#request.exchange.method !== 'GET') return this.#pass()
      if (!this.#mayJoin(place)) return this.#pass('not-kept')
      const shared = await this.#fly(place)
      if (this.#made) return this.#made.value
      if (shared && this.#replay(shared, { collapsed: true })) return shared.answer.body
    }
    return this.#pass()
  }

  /**
   * Looks for a kept answer. `undefined`: the cache failed. Returns no promise when the answer is available at once.
   */
  #find(): Hit | Vacancy | undefined | Promise<Hit | Vacancy | undefined> {
    const failed = (error: unknown): undefined => {
      this.#report(error)
      return undefined
    }
    try {
      const found = this.#store.find()
      return found instanceof Promise ? found.catch(failed) : found
    } catch (error) {
      return failed(error)
    }
  }

  #mayHave(reach: number): boolean {
    const { exchange, terms } = this.#request
    return reach >= credentialsOf(exchange, terms)
  }

  /** Whether the answer is likely to be valid for all requests that wait for it. */
  #mayJoin({ flight }: Vacancy): boolean {
    const { exchange, terms, host } = this.#request
    if (host.passing.has(flight)) return false
    return this.#mayHave(reachOf(exchange, terms, host.now())) || host.reaching.has(exchange.origin)
  }

  /** Runs the handler, or waits for another request that does. Resolves to an answer of others that was not stored. */
  async #fly(place: Vacancy): Promise<Hit | undefined> {
    const { host, tags, isNamed } = this.#request
    if (isNamed) this.#own ??= new OwnComputation(host.cache, this.#key)
    this.#prepare()
    let follow: (() => Promise<void>) | undefined
    const value = await computeOnce({
      cache: host.cache,
      key: place.flight,
      patience: PATIENCE,
      options: { tags },
      report: error => this.#report(error),
      compute: async context => {
        const made = await this.#make(place, context)
        if (made.keeping.ttl !== undefined) context.ttl(made.keeping.ttl)
        follow = made.follow
        return made
      },
    })
    if (this.#made) {
      await follow?.().catch(error => this.#report(error))
      return undefined
    }
    const kept = readKept(value)
    const again = await this.#find()
    if (again === undefined || 'answer' in again || again.flight !== place.flight || !('answer' in kept))
      return undefined
    const { answer } = kept
    const isOurs = answer.origin === undefined || answer.origin === this.#store.origin
    if (!isOurs || !this.#mayHave(answer.reach)) return undefined
    return { answer: structuredClone(answer), storedAt: host.now() }
  }

  /** Runs the handler and decides what is stored of its answer. */
  async #make(place: Vacancy, { isStanding }: ComputationContext): Promise<MadeAnswer> {
    const { host, tags } = this.#request
    const verdict = await this.#run()
    if (!verdict.keep) {
      host.passing.add(place.flight)
      this.#tell({ fwd: 'uri-miss', detail: verdict.reason })
      return { ...NOTHING, keeping: {} }
    }
    const { answer, vary } = verdict
    const keeping: Keeping = { ttl: verdict.life === Number.POSITIVE_INFINITY ? null : verdict.life, tags }
    this.#tell({ fwd: place.found ? 'vary-miss' : 'uri-miss', stored: true })
    try {
      const value = await this.#store.settle(place, { answer, vary, keeping, isStanding })
      if (value === undefined) return { ...NOTHING, keeping }
      return { value, keep: true, keeping, follow: () => this.#store.follow(value, answer, keeping) }
    } catch (error) {
      this.#report(error)
      return { ...NOTHING, keeping: {} }
    }
  }

  /** Prepares the handler now, since a wait for the lock of the cache may end in another async context. */
  #prepare(): () => Promise<unknown> {
    const { prepare, exchange } = this.#request
    if (!this.#handle) exchange.begin(this.#key)
    this.#handle ??= this.#own ? this.#own.run(prepare) : prepare()
    return this.#handle
  }

  async #run(): Promise<Judged> {
    const { exchange, terms, host } = this.#request
    const value = await this.#prepare()().finally(() => {
      this.#own?.end()
      exchange.end(this.#key)
    })
    this.#made = { value }
    if (exchange.isAnswered || exchange.isResponse(value)) return { keep: false, reason: 'answered-by-handler' }
    const sendable = await this.#sendable(value)
    if (sendable === undefined) return { keep: false, reason: 'no-data' }
    const verdict = verdictOn(exchange, terms, host.now())
    if (!verdict.keep) return verdict
    const { life, reach, vary, fields } = verdict
    if (!this.#mayHave(reach)) return { keep: false, reason: 'credentials' }
    const answer: Answer = {
      body: sendable.body,
      fields,
      reach,
      ...(exchange.status !== exchange.usualStatus && { status: exchange.status }),
      ...(this.#store.origin !== undefined && { origin: this.#store.origin }),
    }
    return { keep: true, answer, life, vary }
  }

  async #sendable(value: unknown): Promise<Sendable | undefined> {
    if (value === undefined || isStreaming(value)) return undefined
    try {
      return sendableOf(await this.#request.serialize(value))
    } catch {
      // Serializing it for this request will show the error.
      return undefined
    }
  }

  /** Runs the handler without the cache. */
  async #pass(detail?: string): Promise<unknown> {
    const { exchange, terms, host } = this.#request
    const { keep } = await this.#run()
    this.#tell({ fwd: detail === 'credentials' ? 'bypass' : 'miss', detail })
    // Further requests may wait for each other.
    if (keep && reachOf(exchange, terms, host.now()) > 0) host.reaching.add(exchange.origin)
    return this.#made?.value
  }

  /** Sends a kept answer. Returns `false` when it is malformed because somebody else wrote the entry. */
  #replay({ answer, storedAt, expiresAt }: Hit, { collapsed }: { readonly collapsed: boolean }): boolean {
    const { exchange, host, onFound } = this.#request
    const now = host.now()
    const { status = exchange.usualStatus, fields } = answer
    try {
      exchange.replay(answer.status, fields)
      const age = currentAge({ status, fields, requestedAt: storedAt, receivedAt: storedAt }, now)
      exchange.setHeader('Age', ageField(age))
      const ttl = expiresAt === undefined ? undefined : expiresAt - now
      exchange.tell({ name: NAME, hit: true, ttl, collapsed })
    } catch (error) {
      this.#report(error)
      return false
    }
    onFound(answer.body)
    return true
  }

  #tell(status: Omit<CacheStatus, 'name'>): void {
    const { exchange, onFound } = this.#request
    if (exchange.isAnswered) return
    onFound(undefined)
    exchange.tell({ name: NAME, ...status })
  }

  #report(error: unknown): void {
    this.#request.host.report('CacheInterceptor', error)
  }
}

interface MadeAnswer {
  readonly value: unknown
  readonly keep: boolean
  readonly keeping: Partial<Keeping>
  readonly follow?: () => Promise<void>
}

type Judged =
  | { readonly keep: true; readonly answer: Answer; readonly life: number; readonly vary: readonly string[] }
  | { readonly keep: false; readonly reason: string }

const NOTHING = { value: undefined, keep: false }
