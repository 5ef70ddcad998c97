import type { DoorLease, DoorStore } from '../engine/for-doors.js'
import type { Found } from './lookup.js'
import type { StoredResponse } from './policy/message.js'
import type { Spool } from './spool.js'

/** What comes of a flight, for those who wait for it. */
export type Outcome =
  /** The answer, as it comes from the handler. */
  | { readonly kind: 'tail'; readonly answer: GrowingAnswer }
  /** An answer of the cache: confirmed by the handler, or stale because it failed. */
  | {
      readonly kind: 'found'
      readonly found: Found
      /** It is stale, and stands in for an error (RFC 5861 §4). */
      readonly standsIn?: true
    }
  /** Somebody else has to find out: look again. */
  | { readonly kind: 'again' }
  /** The answer is not for others. */
  | { readonly kind: 'alone' }
  /** It is not for others because of the request that led; an answer to another one may be. */
  | { readonly kind: 'personal' }

/** An answer whose body is still coming, which others may have too. */
export interface GrowingAnswer {
  readonly stored: StoredResponse
  /** Whom it is for: what selects it, by these names of fields. */
  readonly names: readonly string[]
  readonly selecting: string
  readonly spool: Spool
}

/** One call of the handler that many wait for. */
export class Flight {
  readonly subject: string
  readonly outcome: Promise<Outcome>
  /** Fulfilled when nobody can join it any more: what it brought is stored, or will not be. */
  readonly landed: Promise<void>
  lease: DoorLease | undefined
  /** It fetches what one range asks for: nobody joins it. */
  readonly isForPart: boolean
  /** A request has it in hand. */
  isLed = false
  /** What comes of it is known: whoever joins now asked later than it was made. */
  isSettled = false
  #settle: (outcome: Outcome) => void = () => undefined
  #land: () => void = () => undefined

  constructor(subject: string, isForPart: boolean) {
    this.subject = subject
    this.isForPart = isForPart
    this.landed = new Promise(resolve => {
      this.#land = resolve
    })
    this.outcome = new Promise(resolve => {
      this.#settle = resolve
    })
  }

  /** The first outcome counts. */
  settle(outcome: Outcome): void {
    this.isSettled = true
    this.#settle(outcome)
  }

  land(): void {
    this.#land()
  }
}

/** The flights of one cache in this process. */
export class Flights {
  readonly #store: DoorStore
  readonly #flights = new Map<string, Flight>()

  constructor(store: DoorStore) {
    this.#store = store
  }

  /** The flight of a subject, unless what it brings is older than a removal. */
  find(subject: string): Flight | undefined {
    const flight = this.#flights.get(subject)
    if (!flight?.lease || this.#store.isCurrent(flight.lease)) return flight
    this.end(flight)
    return undefined
  }

  begin(subject: string, isForPart = false): Flight {
    const flight = new Flight(subject, isForPart)
    this.#flights.set(subject, flight)
    return flight
  }

  /** Nobody joins it any more. */
  end(flight: Flight): void {
    if (this.#flights.get(flight.subject) === flight) this.#flights.delete(flight.subject)
    flight.land()
  }
}

/** Marks keys of which that holds for requests with credentials only. No key ends so. */
const PERSONAL = '\n'

/** Keys whose answers were not to be stored lately: who asks for them waits for nobody (hit-for-miss). */
export class Uncacheable {
  readonly #until = new Map<string, number>()
  static readonly most = 10_000
  static readonly time = 10_000

  /** @param personal only what is asked with credentials is not to be stored */
  note(uri: string, personal = false): void {
    const key = personal ? uri + PERSONAL : uri
    this.#until.delete(key)
    this.#until.set(key, performance.now() + Uncacheable.time)
    if (this.#until.size <= Uncacheable.most) return
    for (const oldest of this.#until.keys()) {
      this.#until.delete(oldest)
      break
    }
  }

  forget(key: string): void {
    this.#until.delete(key)
  }

  has(uri: string, personal: boolean): boolean {
    return this.#holds(uri) || (personal && this.#holds(uri + PERSONAL))
  }

  #holds(key: string): boolean {
    const until = this.#until.get(key)
    if (until === undefined) return false
    if (until > performance.now()) return true
    this.#until.delete(key)
    return false
  }
}
