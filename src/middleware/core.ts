import type { DoorStore } from '../engine/for-doors.js'
import { Background } from './background.js'
import { Flights } from './flights.js'
import type { HttpRequest, HttpResponse, Next } from './http-message.js'
import type { Settings } from './options.js'
import { cacheStatus } from './policy/cache-status.js'
import type { RequestHead } from './policy/message.js'
import { ReadyAnswers } from './ready-answers.js'
import { Uncacheable } from './uncacheable.js'
import { Uses } from './uses.js'

/** The state shared by all requests of one `responseCache`. */
export class Core {
  readonly store: DoorStore
  readonly settings: Settings
  readonly flights: Flights
  readonly uncacheable: Uncacheable = new Uncacheable()
  readonly uses: Uses = new Uses()
  readonly background: Background
  readonly ready: ReadyAnswers = new ReadyAnswers()
  /** The name as written in `Cache-Status`. */
  readonly statusName: string

  constructor(store: DoorStore, settings: Settings) {
    this.store = store
    this.settings = settings
    this.flights = new Flights(store)
    this.background = new Background(this.flights)
    this.statusName = cacheStatus({ name: settings.policy.name })
  }
}

/** One request and its response in the cache. */
export interface Exchange {
  readonly core: Core
  readonly req: HttpRequest
  readonly res: HttpResponse
  readonly next: Next
  readonly request: RequestHead
  readonly key: string
}
