import { performance } from '../engine/timers.js'
import type { Exchange } from './core.js'
import type { Flight } from './flights.js'
import type { GrowingAnswer } from './growing-answer.js'
import { isGone, onClose } from './http-message.js'
import { LEASE_TTL, Leader } from './leader.js'
import { count, type Found, holdBody, type Lookup, lookUp, lookUpFor } from './lookup.js'
import { variantKey } from './policy/cache-key.js'
import { cacheStatus, type ForwardReason } from './policy/cache-status.js'
import { hasField } from './policy/fields.js'
import type { RequestHead, StoredResponse } from './policy/message.js'
import { partOf } from './policy/partial.js'
import { demandsOf } from './policy/request-directives.js'
import { type Decision, decide } from './policy/reuse.js'
import { storability } from './policy/storability.js'
import { selectingKey } from './policy/vary.js'
import { Recorder } from './recorder.js'
import { type Status, serveFound, serveGrowing, serveTimeout } from './serve.js'
import { receivedAnswer } from './stored-answer.js'
import { toStored } from './stored-head.js'
import { landsSoon, newsOf, waitFor, waitForOthers } from './waiting.js'

/** How often a request looks up the answer again before it goes on without the cache. */
const TRIES = 8

/** Why a request needs the handler. */
interface Need {
  readonly fwd: ForwardReason
  /** The stored answer to be validated. */
  readonly stale?: Found
}

/** Answers a request that `glance` cannot answer. */
export async function answer(exchange: Exchange): Promise<void> {
  const { core, key, request } = exchange
  const deadline = performance.now() + core.settings.collapseTimeout
  let learned: readonly string[] | undefined
  let news: Lookup | undefined = await lookUpFor(exchange)
  count(core.store, key, news)
  for (let tries = 0; tries < TRIES; ) {
    const lookup: Lookup = news ?? (await lookUpFor(exchange))
    news = undefined
    const need = await serveStored(exchange, lookup)
    if (!need) return
    const reason = passing(exchange, need)
    if (reason === 'range' && (await leadPart(exchange, need.fwd))) return
    if (reason !== undefined) return pass(exchange, reason === 'range' ? 'bypass' : need.fwd, reason)
    // Others have found out which fields the answer depends on, and nothing is stored yet.
    const isNew = learned !== undefined && lookup.subject === key && !lookup.found
    const subject = isNew ? variantKey(key, selectingKey(learned ?? [], request)) : lookup.subject
    const flight = core.flights.find(subject)
    const done = flight
      ? await join(exchange, flight, need)
      : await lead(exchange, core.flights.begin(subject), { lookup, need, deadline })
    if (done === true || isGone(exchange.res)) return
    // Requests waiting for a slow handler go on waiting for the one of them that asks it again, or all would ask.
    if (done !== 'late' || core.settings.collapseTimeout === 0) tries++
    if (typeof done !== 'object') continue
    if ('subject' in done) news = done
    else learned = done
  }
  pass(exchange, 'miss', 'busy')
}

/** Continues a flight that the cache has started in the background. */
export async function revalidate(exchange: Exchange, flight: Flight): Promise<void> {
  const { res } = exchange
  flight.isLed = true
  const lookup = await lookUpFor(exchange)
  const need: Need = { fwd: 'stale', stale: lookup.found }
  if (lookup.subject === flight.subject && (await acquire(exchange, flight)) === 'granted') {
    const stale = await hold(exchange, need)
    if (!isGone(res)) return new Leader(exchange, flight, stale, 'stale').run()
  }
  cancel(exchange, flight)
  res.statusCode = 204
  res.end()
}

/** Passes the request to the handler and leaves its answer alone, except for `Cache-Status`. */
export function pass(exchange: Exchange, fwd: ForwardReason, detail?: string): void {
  const { core, res, next, request, key } = exchange
  const requestedAt = core.store.now()
  const { policy } = core.settings
  new Recorder(res, head => {
    if (
      detail === 'uncacheable' &&
      storability(request, receivedAnswer(head, requestedAt, core.store.now()), policy).store
    ) {
      core.uncacheable.forget(key)
    }
    const line = cacheStatus({ name: policy.name, fwd, detail })
    return { kind: 'pass', add: [['Cache-Status', line]] }
  })
  next()
}

/** Answers from the cache if that is allowed. Otherwise resolves to the reason why the handler is needed. */
async function serveStored(exchange: Exchange, { found, known }: Lookup): Promise<Need | undefined> {
  const { core, request } = exchange
  const { store, settings } = core
  const isOtherPart = found?.head.s === 206 && !partOf(request, toStored(found.head))
  if (!found || isOtherPart) {
    if (!demandsOf(request, settings.policy).onlyIfCached)
      return { fwd: isOtherPart ? 'partial' : known ? 'vary-miss' : 'uri-miss' }
    serveTimeout(exchange)
    return undefined
  }
  const decision = decide(request, toStored(found.head), store.now(), settings.policy)
  switch (decision.kind) {
    case 'fresh':
    case 'stale':
      return serveHit(exchange, found, decision)
    case 'stale-while-revalidate':
      if (!core.background.begin(exchange.req, found.key)) return { fwd: 'stale', stale: found }
      return serveHit(exchange, found, decision)
    case 'gateway-timeout':
      serveTimeout(exchange)
      return undefined
    case 'bypass':
      pass(exchange, 'bypass', decision.reason)
      return undefined
    case 'validate':
      // A partial answer is not validated, since another part may be requested by then.
      return { fwd: decision.reason === 'request' ? 'request' : 'stale', ...(found.head.s !== 206 && { stale: found }) }
  }
}

async function serveHit(exchange: Exchange, found: Found, { ttl }: Decision): Promise<Need | undefined> {
  return (await serveFound(exchange, found, { hit: true, ttl })) ? undefined : { fwd: 'miss' }
}

/** The reason why the answer to a request can neither be shared nor stored, if there is one. */
function passing({ req, request, core, key }: Exchange, need: Need): string | undefined {
  if (request.method === 'HEAD' && !need.stale) return 'head'
  if (hasField(request.fields, 'If-Match') || hasField(request.fields, 'If-Unmodified-Since')) return 'precondition'
  const { range } = req.headers
  // A request for a range of a large answer does not wait for all of it.
  if (!need.stale && range !== undefined && range !== 'bytes=0-') return 'range'
  if (demandsOf(request, core.settings.policy).noStore) return 'no-store'
  if (need.stale) return undefined
  if (core.uncacheable.has(key, { personal: hasCredentials(request) })) return 'uncacheable'
  const { minUses } = core.settings
  return minUses > 1 && core.uses.add(key) < minUses ? 'min-uses' : undefined
}

function hasCredentials({ fields }: RequestHead): boolean {
  return hasField(fields, 'Authorization') || hasField(fields, 'Cookie')
}

/** Asks the handler for a range and stores the result for further requests. `false`: that is not possible. */
async function leadPart(exchange: Exchange, fwd: ForwardReason): Promise<boolean> {
  const { core, key } = exchange
  const subject = `${key}\npart`
  if (!core.settings.policy.storePartial || core.flights.find(subject)) return false
  const flight = core.flights.begin(subject, { isForPart: true })
  flight.isLed = true
  const isGranted = (await acquire(exchange, flight)) === 'granted'
  if (isGranted && !isGone(exchange.res)) new Leader(exchange, flight, undefined, fwd).run()
  else cancel(exchange, flight)
  return isGranted
}

interface Takeoff {
  readonly lookup: Lookup
  readonly need: Need
  /** The deadline, on the clock of `performance.now()`. */
  readonly deadline: number
}

/** Takes the lease and runs the handler. `false`: look up again; a lookup: others have stored it meanwhile. */
async function lead(
  exchange: Exchange,
  flight: Flight,
  { lookup, need, deadline }: Takeoff,
): Promise<boolean | Lookup> {
  const { core, key, request } = exchange
  flight.isLed = true
  let stale: Found | undefined
  try {
    const clearance = await acquire(exchange, flight)
    if (clearance === 'held' && (await waitForOthers(exchange, flight, deadline))) return cancel(exchange, flight)
    if (clearance === 'granted') {
      // An answer that was stored during the wait for the lease is used, or is the one to validate now.
      const now = await lookUp(core.store, key, request)
      if (now.found?.version !== lookup.found?.version) return cancel(exchange, flight) || now
    }
    stale = await hold(exchange, need)
    if (isGone(exchange.res)) return cancel(exchange, flight)
  } catch (error) {
    cancel(exchange, flight)
    throw error
  }
  new Leader(exchange, flight, stale, need.fwd).run()
  return true
}

/** Holds the body of the answer to be validated until the response is closed, since the handler may answer 304. */
async function hold({ core, res }: Exchange, { stale }: Need): Promise<Found | undefined> {
  const held = stale && (await holdBody(core.store, stale))
  const close = (): void => void held?.file?.close().catch(error => core.store.tell(error))
  if (isGone(res)) close()
  else onClose(res, close)
  return held
}

async function acquire({ core, key }: Exchange, flight: Flight): Promise<'granted' | 'held' | 'none'> {
  const lease = await core.store.acquire(key, flight.subject, LEASE_TTL)
  if (lease === 'held') return 'held'
  flight.lease = lease
  return lease ? 'granted' : 'none'
}

function cancel({ core }: Exchange, flight: Flight): false {
  if (flight.lease) core.store.release(flight.lease)
  flight.settle({ kind: 'again' })
  core.flights.end(flight)
  return false
}

/**
 * Waits for the flight of another request. `false`, `'late'`: look up again; names: fields that the answer depends on.
 */
async function join(exchange: Exchange, flight: Flight, need: Need): Promise<boolean | 'late' | readonly string[]> {
  const isLate = flight.isSettled
  const outcome = exchange.core.flights.outcomeFor(flight, await newsOf(exchange, flight))
  if (isGone(exchange.res)) return true
  const status = { fwd: need.fwd, collapsed: true }
  switch (outcome.kind) {
    case 'late':
      return 'late'
    case 'again':
      return goAlone(exchange, flight, { need, isSoon: true })
    case 'personal':
      if (!hasCredentials(exchange.request)) return false
      pass(exchange, need.fwd, 'uncacheable')
      return true
    case 'alone':
      pass(exchange, need.fwd, 'uncacheable')
      return true
    case 'found': {
      const stored = toStored(outcome.found.head)
      const fit = fitOf(exchange, stored, isLate && !outcome.standsIn)
      if (fit === 'no-cache' && !outcome.standsIn) return goAlone(exchange, flight, { need, isSoon: isLate })
      // The file is held for the request that led the flight.
      const { file: _held, ...found } = outcome.found
      return fit === 'answered' || serveFound(exchange, found, status)
    }
    case 'tail':
      return joinTail(exchange, flight, outcome.answer, { need, isLate })
  }
}

async function joinTail(
  exchange: Exchange,
  flight: Flight,
  growing: GrowingAnswer,
  { need, isLate }: { readonly need: Need; readonly isLate: boolean },
): Promise<boolean | readonly string[]> {
  const { stored, names, selecting, spool } = growing
  // The answer depends on fields in which this request differs.
  if (selectingKey(names, exchange.request) !== selecting) return names
  const fit = fitOf(exchange, stored, isLate)
  if (fit === 'answered') return true
  if (fit === 'no-cache') return goAlone(exchange, flight, { need, isSoon: isLate && spool.isOver })
  const status: Status = { fwd: need.fwd, collapsed: true }
  if (spool.canBeRead && (await serveGrowing(exchange, growing, status))) return true
  if (!spool.isStorable) {
    pass(exchange, need.fwd, 'uncacheable')
    return true
  }
  await waitFor(exchange, flight.landed)
  return false
}

/**
 * Whether a request may use the answer of another one. Collapsed requests obey the same rules as those answered from
 * the store (RFC 9111 §4). A request that arrived before the answer was created may use it even if it is stale at once.
 */
function fitOf(exchange: Exchange, stored: StoredResponse, isLate: boolean): 'fits' | 'answered' | 'no-cache' {
  const { core, request } = exchange
  const verdict = decide(request, stored, core.store.now(), core.settings.policy)
  if (verdict.kind === 'validate') return verdict.reason === 'stale' && !isLate ? 'fits' : 'no-cache'
  if (verdict.kind === 'bypass') pass(exchange, 'bypass', verdict.reason)
  else if (verdict.kind === 'gateway-timeout') serveTimeout(exchange)
  else return 'fits'
  return 'answered'
}

/** Goes on without the answer of another request: looks up again if that is stored soon, otherwise asks the handler. */
async function goAlone(
  exchange: Exchange,
  flight: Flight,
  { need, isSoon }: { readonly need: Need; readonly isSoon: boolean },
): Promise<boolean> {
  if (isSoon && (await landsSoon(exchange, flight))) return false
  pass(exchange, need.fwd, isSoon ? 'busy' : 'no-cache')
  return true
}
