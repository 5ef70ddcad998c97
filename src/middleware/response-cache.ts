import { DoorStore, isTraced, startUpkeepOf } from '../engine/for-doors.js'
import type { DiskCache } from '../engine/index.js'
import { noteName } from './cache-names.js'
import { Core, type Exchange } from './core.js'
import { answer, pass, revalidate } from './exchange.js'
import { glance } from './glance.js'
import {
  assertNext,
  type Handled,
  type HttpRequest,
  type HttpResponse,
  isGone,
  type Next,
  type RoutedRequest,
  type RoutelessRequest,
  requestHead,
} from './http-message.js'
import { type ResponseCacheOptions, resolveSettings } from './options.js'
import { urlOfKey } from './policy/cache-key.js'
import { cacheStatus } from './policy/cache-status.js'
import { hasField } from './policy/fields.js'
import type { RequestHead } from './policy/message.js'
import { bypassOf } from './policy/request-directives.js'
import { passPost } from './posted.js'
import { hearOfEnd } from './queued.js'
import { keyOf, type RequestKey } from './request-key.js'
import { addField } from './response-fields.js'
import { hasFallback } from './send-file-accel.js'
import { passUnsafe } from './unsafe.js'

/** A middleware for Express, connect, and anything that calls middleware in the same way. */
export type Middleware<Request extends RoutelessRequest = RoutelessRequest> = (
  request: Request,
  response: HttpResponse,
  next: Next,
) => void

/** Keys that a cache has in hand for a request: a second one of the same name further down keeps out of it. */
const inHand = new WeakMap<HttpRequest, Set<string>>()

/**
 * Creates a shared HTTP cache (RFC 9111) in front of the handlers that follow. It stores answers that `Cache-Control`
 * lets it store or `ttl` makes fresh, and reports in `Cache-Status` (RFC 9211) what it did. When the cache fails,
 * requests are served as if there were none.
 *
 * @throws TypeError for unknown options and wrong types; RangeError for values out of range
 */
export function responseCache<Request extends HttpRequest = RoutedRequest>(
  cache: DiskCache,
  options?: ResponseCacheOptions<Request>,
): Middleware<Handled<Request>> {
  const settings = resolveSettings(options as ResponseCacheOptions<HttpRequest> | undefined)
  const core = new Core(new DoorStore(cache, 'responseCache'), settings)
  noteName(cache, settings.policy.name)
  startUpkeepOf(cache, options?.upkeep)
  return function responseCache(req, res, next) {
    assertNext(next, 'responseCache')
    if (req.method !== 'GET' && req.method !== 'HEAD') return passOther(core, req, res, next)
    if (res.headersSent) return next()
    let key: RequestKey
    let isBypassed: boolean
    try {
      key = keyOf(req, core.settings)
      isBypassed = isLeftOut(core, req)
    } catch (error) {
      return leave(core, res, next, error)
    }
    // Those who trace hear of lookups, and not of a glance.
    if (!isBypassed && 'key' in key && !isTraced() && glances(core, req, res, key.key)) return
    hearOfEnd(req, res)
    if (isGone(res)) return next()
    take(core, { req, res, next, key, isBypassed })
  }
}

/** Whether the option `bypass` keeps a request from the cache. A promise does, whatever becomes of it. */
function isLeftOut({ settings }: Core, req: HttpRequest): boolean {
  return Boolean(settings.bypass?.(req))
}

/** Hands on what a function of the options has thrown. */
function leave(core: Core, res: HttpResponse, next: Next, error: unknown): void {
  const { name } = core.settings.policy
  addField(res, 'Cache-Status', cacheStatus({ name, fwd: 'miss', detail: 'error' }))
  next(error)
}

/** Whether a glance was enough. What goes wrong with it is left to those who look closer. */
function glances(core: Core, req: HttpRequest, res: HttpResponse, key: string): boolean {
  try {
    return glance(core, req, res, key)
  } catch (error) {
    core.store.tell(error)
    return res.headersSent
  }
}

/** Lets other methods than GET and HEAD pass. */
function passOther(core: Core, req: HttpRequest, res: HttpResponse, next: Next): void {
  const { policy, key: own } = core.settings
  // A key that the app makes does not tell the URI whose answer this would become.
  let isUnstored = req.method !== 'POST' || !policy.cachePost || own !== undefined || res.headersSent
  try {
    isUnstored ||= isLeftOut(core, req)
  } catch (error) {
    return leave(core, res, next, error)
  }
  if (isUnstored) return passUnsafe(core, req, res, next)
  hearOfEnd(req, res)
  const key = keyOf(req, core.settings)
  const request = requestOf(req, key)
  if ('none' in key || hasField(request.fields, 'Upgrade')) return passUnsafe(core, req, res, next)
  const exchange = { core, req, res, next, request, key: key.key }
  attempt(exchange, passPost, () => passUnsafe(core, req, res, next))
}

interface Incoming {
  readonly req: HttpRequest
  readonly res: HttpResponse
  readonly next: Next
  readonly key: RequestKey
  readonly isBypassed: boolean
}

function take(core: Core, { req, res, next, key, isBypassed }: Incoming): void {
  const request = requestOf(req, key)
  const exchange: Exchange = { core, req, res, next, request, key: 'key' in key ? key.key : '' }
  const reason = isBypassed ? 'option' : reasonToPass(req, request, key)
  if (reason !== undefined) return pass(exchange, 'bypass', reason)
  const own = inHand.get(req) ?? new Set<string>()
  if (own.has(exchange.key)) return next()
  inHand.set(req, own.add(exchange.key))
  attempt(exchange, handle, () => pass(exchange, 'miss', 'error'))
}

/** Answers a request, or does something else when that fails: the handler is there for what the cache could not. */
function attempt(
  { core, req, res, next, request, key }: Exchange,
  run: (exchange: Exchange) => Promise<void>,
  otherwise: () => void,
): void {
  let isHanded = false
  const handOn: Next = error => {
    isHanded = true
    next(error)
  }
  run({ core, req, res, next: handOn, request, key }).catch(error => {
    core.store.tell(error)
    if (isHanded || res.headersSent) res.destroy()
    else if (!isGone(res)) otherwise()
  })
}

async function handle(exchange: Exchange): Promise<void> {
  const { core, req } = exchange
  const ready = core.store.ready()
  if (ready !== true && !(await ready)) return pass(exchange, 'bypass', 'unavailable')
  const flight = core.background.claim(req)
  if (flight) return revalidate(exchange, flight)
  return answer(exchange)
}

/** The request as the rules see it, with the URL of its key. */
function requestOf(req: HttpRequest, key: RequestKey): RequestHead {
  const head = requestHead(req)
  const url = 'key' in key ? urlOfKey(key.key) : head.url
  return { ...head, url }
}

function reasonToPass(req: HttpRequest, request: RequestHead, key: RequestKey): string | undefined {
  if ('none' in key) return key.none
  if (hasFallback(req)) return 'fallback'
  return bypassOf({ method: req.method ?? 'GET', fields: request.fields })
}
