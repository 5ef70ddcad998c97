import type { ResponseCacheOptions } from 'fanout-cache/express'

/** Whether RFC 9111 demands it, or it is what the best caches do besides. */
export type Kind = 'required' | 'optional'

/** A request and what the origin answers if it is asked. A line is `Name: value`; `@-60` in the place of a value is the date 60 s ago. */
export interface Step {
  readonly method?: string
  /** Lines of the request. */
  readonly ask?: readonly string[]
  /** Appended to the URL. */
  readonly url?: string
  readonly payload?: string
  /** Lines of the origin's answer. It has a `Date` of its own unless there is one here, or `Date: none`. */
  readonly origin?: readonly string[]
  readonly status?: number
  readonly body?: string
  readonly interim?: readonly (readonly [status: number, fields?: Readonly<Record<string, string>>])[]
  /** The origin takes three seconds, or closes the connection. */
  readonly trouble?: 'slow' | 'closes'
  /** Who answers: the cache alone, the origin, or the cache after the origin has confirmed it by tag or date. */
  readonly is?: 'cached' | 'passed' | 'by tag' | 'by date'
  /** The status that the client gets; that of the origin when left out. */
  readonly gets?: number
  readonly text?: string
  /** Lines that the client gets; `Name` alone: it does not get it; `Age > 2`: a number. */
  readonly has?: readonly string[]
  /** Lines that the origin is asked with; `Name` alone: without. */
  readonly asked?: readonly string[]
  readonly informed?: readonly number[]
  /** Three seconds pass afterwards. */
  readonly wait?: boolean
}

export interface Scenario {
  readonly id: string
  readonly kind: Kind
  readonly steps: readonly Step[]
  /** What the safe defaults refuse, and is opened so. */
  readonly opened?: ResponseCacheOptions
}

export const FRESH = 'Cache-Control: max-age=3600'
const BRIEF = 'Cache-Control: max-age=2'

export function scenario(id: string, kind: Kind, ...steps: readonly Step[]): Scenario {
  return { id, kind, steps }
}

/** As a cache with these options does it. */
export function opened(options: ResponseCacheOptions, scenarios: readonly Scenario[]): readonly Scenario[] {
  return scenarios.map(one => ({ ...one, opened: options }))
}

/** An answer with these lines is used again, three seconds later. Caches need not store anything: it is optional. */
export function reused(id: string, ...origin: readonly string[]): Scenario {
  return scenario(id, 'optional', { origin, wait: true }, { is: 'cached' })
}

/** An answer with these lines is not used again, three seconds later. */
export function notReused(id: string, ...origin: readonly string[]): Scenario {
  return scenario(id, 'required', { origin, wait: true }, { is: 'passed' })
}

/** What gets stale before the next request, and can be validated. */
export function soonStale(...origin: readonly string[]): Step {
  return { origin: [BRIEF, ...origin], wait: true }
}
