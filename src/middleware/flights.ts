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
  /** The handler has not answered in time: another request asks it. */
  | { readonly kind: 'late' }

/** An answer whose body is still coming, which others may have too. */
export interface GrowingAnswer {
  readonly stored: StoredResponse
  /** Whom it is for: what selects it, by these names of fields. */
  readonly names: readonly string[]
  readonly selecting: string
  readonly spool: Spool
}

/** The longest time that Node's timers know, in milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1

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
  /** Its handler has had its time. */
  isLate = false
  /** The lease of a late one for the same, which had it when this one was begun. */
  guard: DoorLease | undefined
  /** Called with its outcome, in the same turn: what it brought may be gone in the next. */
  onOutcome: ((outcome: Outcome) => void) | undefined
  readonly #news: Promise<Outcome>
  #timer: NodeJS.Timeout | undefined
  #settle: (outcome: Outcome) => void = () => undefined
  #tell: (news: Outcome) => void = () => undefined
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
    this.#news = new Promise(resolve => {
      this.#tell = resolve
    })
  }

  /** The outcome, or that it is late. */
  get news(): Promise<Outcome> {
    return this.isSettled ? this.outcome : this.#news
  }

  /** The handler is asked now. Those who wait for it do so for some milliseconds, and no longer. */
  takeOff(patience: number): void {
    if (this.isSettled || patience > LONGEST_TIMER) return
    const giveUp = (): void => {
      this.isLate = true
      this.#tell({ kind: 'late' })
    }
    this.#timer = setTimeout(giveUp, patience).unref()
  }

  /** The first outcome counts. */
  settle(outcome: Outcome): void {
    const isFirst = !this.isSettled
    this.isSettled = true
    this.isLate = false
    clearTimeout(this.#timer)
    this.#settle(outcome)
    this.#tell(outcome)
    if (isFirst) this.onOutcome?.(outcome)
  }

  land(): void {
    this.#land()
  }
}

/** The flights of one cache in this process. */
export class Flights {
  readonly #store: DoorStore
  readonly #flights = new Map<string, Flight>()
  /** Those that are late, by subject, and have not ended. */
  readonly #late = new Map<string, Set<Flight>>()

  constructor(store: DoorStore) {
    this.#store = store
  }

  /** The flight of a subject, unless it is late, or what it brings is older than a removal. */
  find(subject: string): Flight | undefined {
    // One that was late has come all the same.
    const come = this.#lateOf(subject).find(({ isSettled }) => isSettled)
    const flight = come ?? this.#flights.get(subject)
    if (flight?.isLate) {
      this.#flights.delete(subject)
      this.#noteLate(flight)
      return undefined
    }
    if (!flight || this.#isCurrent(flight)) return flight
    this.end(flight)
    return come && this.find(subject)
  }

  /** Whether one is late, and may still bring something. To be asked after {@link find}. */
  isLate(subject: string): boolean {
    return this.#lateOf(subject).some(({ isSettled }) => !isSettled)
  }

  begin(subject: string, isForPart = false): Flight {
    const flight = new Flight(subject, isForPart)
    this.#flights.set(subject, flight)
    flight.guard = this.#lateOf(subject).find(one => one.lease && this.#isCurrent(one))?.lease
    return flight
  }

  #noteLate(late: Flight): void {
    this.#late.set(late.subject, new Set(this.#lateOf(late.subject)).add(late))
    late.onOutcome = outcome => this.#handOn(late, outcome)
  }

  /** What a late one brings in the end is good enough for those who wait for another. */
  #handOn(late: Flight, outcome: Outcome): void {
    const flight = this.#flights.get(late.subject)
    if (!flight || flight.isSettled || (outcome.kind !== 'tail' && outcome.kind !== 'found')) return
    if (!this.#isCurrent(late)) return
    flight.settle(outcome)
    this.end(flight)
  }

  #lateOf(subject: string): readonly Flight[] {
    return Array.from(this.#late.get(subject) ?? [])
  }

  /** Whether nothing was removed since it began, as far as a lease tells: its own, or that of the late one before it. */
  #isCurrent({ lease, guard }: Flight): boolean {
    const told = lease ?? guard
    return !told || this.#store.isCurrent(told)
  }

  /** Nobody joins it any more. */
  end(flight: Flight): void {
    const { subject } = flight
    if (this.#flights.get(subject) === flight) this.#flights.delete(subject)
    const late = this.#late.get(subject)
    late?.delete(flight)
    if (late?.size === 0) this.#late.delete(subject)
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
