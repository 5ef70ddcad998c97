import { type DoorLease, type DoorStore, LONGEST_TIMER, within } from '../engine/for-doors.js'
import { withResolvers } from '../engine/newer-node.js'
import { clearTimeout, performance, setTimeout } from '../engine/timers.js'
import type { GrowingAnswer } from './growing-answer.js'
import type { Found } from './lookup.js'

/** The outcome of a flight for the requests that wait for it. */
export type Outcome =
  /** The answer while it arrives from the handler. */
  | { readonly kind: 'tail'; readonly answer: GrowingAnswer }
  /** An answer of the cache: confirmed by the handler, or stale because it failed. */
  | {
      readonly kind: 'found'
      readonly found: Found
      /** Whether it is a stale answer that replaces an error (RFC 5861 §4). */
      readonly standsIn?: true
    }
  /** There is no result: look up again. */
  | { readonly kind: 'again' }
  /** The answer is not for others. */
  | { readonly kind: 'alone' }
  /** The answer is not for others because of the request that led. The answer to another request may be. */
  | { readonly kind: 'personal' }
  /** The handler has not answered in time, so that another request asks it. */
  | { readonly kind: 'late' }

/** How long a request waits for the landing of a flight that has its answer, if the database is locked. Milliseconds. */
const LANDING = 20

/** One call of the handler that several requests wait for. */
export class Flight {
  readonly subject: string
  readonly outcome: Promise<Outcome>
  /** Resolves when nobody can join it any more, because its answer is stored or will not be. */
  readonly landed: Promise<void>
  lease: DoorLease | undefined
  /** Whether it fetches a range, so that nobody joins it. */
  readonly isForPart: boolean
  /** Whether a request leads it. */
  isLed = false
  /** Whether its outcome is known. A request that joins now arrived after the answer was created. */
  isSettled = false
  /** Whether its handler has exceeded its time. */
  isLate = false
  /** The tags of its answer, once that is known. */
  tags: readonly string[] = []
  /** The lease of a late flight for the same subject, if that had it when this one started. */
  guard: DoorLease | undefined
  /** Called with its outcome in the same turn, because the answer may be gone in the next. */
  onOutcome: ((outcome: Outcome) => void) | undefined
  readonly #settled = withResolvers<Outcome>()
  readonly #news = withResolvers<Outcome>()
  readonly #landing = withResolvers<void>()
  #timer: NodeJS.Timeout | undefined

  constructor(subject: string, { isForPart }: Pick<Flight, 'isForPart'>) {
    this.subject = subject
    this.isForPart = isForPart
    this.outcome = this.#settled.promise
    this.landed = this.#landing.promise
  }

  /** Resolves to the outcome, or to `late`. */
  get news(): Promise<Outcome> {
    return this.isSettled ? this.outcome : this.#news.promise
  }

  /** Called when the handler is asked. The waiting requests wait for `patience` milliseconds. */
  takeOff(patience: number): void {
    if (this.isSettled || patience > LONGEST_TIMER) return
    const giveUp = (): void => {
      this.isLate = true
      this.#news.resolve({ kind: 'late' })
    }
    this.#timer = setTimeout(giveUp, patience).unref()
  }

  /** Sets the outcome. Only the first one counts. */
  settle(outcome: Outcome): void {
    const isFirst = !this.isSettled
    if (isFirst) this.tags = tagsOf(outcome)
    this.isSettled = true
    this.isLate = false
    clearTimeout(this.#timer)
    this.#settled.resolve(outcome)
    this.#news.resolve(outcome)
    if (isFirst) this.onOutcome?.(outcome)
  }

  land(): void {
    this.#landing.resolve()
  }

  /** Waits until it has landed: for the disk up to `patience` milliseconds, for a blocked database only a moment. */
  landsSoon(patience: number, isBlocked: () => boolean): Promise<boolean> {
    const until = performance.now() + patience
    const landing = this.landed.then(() => true)
    return within(landing, LANDING, false, () => isBlocked() || performance.now() > until)
  }
}

/** The flights of one cache in this process. */
export class Flights {
  readonly #store: DoorStore
  readonly #flights = new Map<string, Flight>()
  /** Late flights that have not ended, by subject. */
  readonly #late = new Map<string, Set<Flight>>()

  constructor(store: DoorStore) {
    this.#store = store
  }

  /** Finds the flight of a subject, unless it is late or began before a removal. */
  find(subject: string): Flight | undefined {
    // A late flight has got its answer all the same.
    const come = this.#lateOf(subject).find(({ isSettled }) => isSettled)
    const flight = come ?? this.#flights.get(subject)
    if (flight?.isLate) {
      this.#flights.delete(subject)
      this.#noteLate(flight)
      return undefined
    }
    if (!flight || this.#isCurrent(flight)) return flight
    this.#giveUp(flight)
    return come && this.find(subject)
  }

  /** What a flight has for those who join it: nothing, if one of the tags of its answer was purged since it began. */
  outcomeFor(flight: Flight, outcome: Outcome): Outcome {
    if (flight.tags.length === 0 || this.#isCurrent(flight)) return outcome
    this.#giveUp(flight)
    return { kind: 'again' }
  }

  /** Whether a late flight may still bring an answer. Call it after {@link find}. */
  isLate(subject: string): boolean {
    return this.#lateOf(subject).some(({ isSettled }) => !isSettled)
  }

  begin(subject: string, traits: Pick<Flight, 'isForPart'> = { isForPart: false }): Flight {
    const flight = new Flight(subject, traits)
    this.#flights.set(subject, flight)
    flight.guard = this.#lateOf(subject).find(one => one.lease && this.#isCurrent(one))?.lease
    return flight
  }

  #noteLate(late: Flight): void {
    this.#late.set(late.subject, new Set(this.#lateOf(late.subject)).add(late))
    late.onOutcome = outcome => this.#handOn(late, outcome)
  }

  /** Gives the outcome of a late flight to the requests that wait for its successor. */
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

  /** Whether nothing was removed since a flight began, by its lease or that of the late flight before it. */
  #isCurrent({ lease, guard, tags }: Flight): boolean {
    const told = lease ?? guard
    return !told || this.#store.isCurrent(told, tags)
  }

  /** Ends a flight whose answer will not be stored, so that another one can get its lease. */
  #giveUp(flight: Flight): void {
    if (flight.lease) this.#store.release(flight.lease)
    this.end(flight)
  }

  /** Ends a flight, so that nobody joins it any more. */
  end(flight: Flight): void {
    const { subject } = flight
    if (this.#flights.get(subject) === flight) this.#flights.delete(subject)
    const late = this.#late.get(subject)
    late?.delete(flight)
    if (late?.size === 0) this.#late.delete(subject)
    flight.land()
  }
}

function tagsOf(outcome: Outcome): readonly string[] {
  if (outcome.kind === 'tail') return outcome.answer.tags
  return (outcome.kind === 'found' && outcome.found.head.g) || []
}
