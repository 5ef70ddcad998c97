import { deleteField, fieldLines, listMembers, setField } from '../middleware/policy/fields.js'
import { ageField, freshnessOf } from '../middleware/policy/freshness.js'
import type { Fields, RequestHead, StoredResponse } from '../middleware/policy/message.js'
import { DEFAULT_POLICY, type Policy } from '../middleware/policy/options.js'
import { ageingOf } from '../middleware/policy/reuse.js'
import { permitsAuthorized, storability } from '../middleware/policy/storability.js'
import { fieldsToStore } from '../middleware/policy/stored-fields.js'
import { effectiveDirectives } from '../middleware/policy/targeted.js'
import { varyOf } from '../middleware/policy/vary.js'
import type { Reach } from './answer.js'
import type { HttpExchange } from './http-exchange.js'

/** The requests that share the answers of a handler: see `@CacheAudience`. */
export type Audience = { readonly kind: 'anonymous' | 'everyone' } | { readonly kind: 'person'; readonly id: string }

/** The settings of a request for the rules. */
export interface Terms {
  readonly audience: Audience
  /** Time to live given by the app. Milliseconds; `Infinity`: never expires. */
  readonly ttl: number
  readonly ignoreCookies: boolean
}

export type Verdict =
  | {
      readonly keep: true
      /** Time to live. Milliseconds; `Infinity`: never expires. */
      readonly life: number
      readonly reach: Reach
      readonly vary: readonly string[]
      readonly fields: Fields
    }
  | { readonly keep: false; readonly reason: string }

/**
 * The statuses whose answers are kept: all of success, since the app has chosen the handler, and cacheable
 * redirections.
 */
const STATUSES = [200, 201, 202, 203, 204, 205, 300, 301, 308]

/** The reach that an answer must have for a request, by its credentials. */
export function credentialsOf(exchange: HttpExchange, { audience, ignoreCookies }: Terms): Reach {
  if (audience.kind !== 'anonymous') return 0
  if (exchange.hasUser || exchange.has('authorization')) return 2
  return exchange.has('cookie') && !ignoreCookies ? 1 : 0
}

/** The reach of a response by its fields (RFC 9111 §3.5). Explicit freshness shows that cookies do not matter. */
export function reachOf(exchange: HttpExchange, terms: Terms, now: number): Reach {
  const policy = policyOf(terms)
  const response = responseOf(exchange, terms, now)
  const { directives } = effectiveDirectives(response.fields, policy.targets)
  if (permitsAuthorized(directives)) return 2
  return freshnessOf(response, policy).source === 'explicit' ? 1 : 0
}

/** Decides whether an answer is kept, how long and for whom. */
export function verdictOn(exchange: HttpExchange, terms: Terms, now: number): Verdict {
  const policy = policyOf(terms)
  const response = responseOf(exchange, terms, now)
  const storable = storability(requestOf(exchange, terms), response, policy)
  if (!storable.store) return { keep: false, reason: storable.reason }
  const vary = varyOf(response.fields)
  if (vary === '*') return { keep: false, reason: 'vary-star' }
  const { age, ttl: life } = ageingOf(response, now, policy)
  const kept = deleteField(fieldsToStore(exchange.changes(), policy), ...OWN_FIELDS)
  // That of one from another server goes on from where it was (RFC 9111 §4.2.3).
  const fields: Fields = age < 1000 ? kept : setField(kept, 'Age', ageField(age))
  return { keep: true, life, reach: reachOf(exchange, terms, now), vary, fields }
}

/** Fields that are created for each answer and not kept. */
const OWN_FIELDS = ['Content-Length', 'Date', 'Age', 'X-Cache', 'Cache-Status']

function policyOf({ ttl, ignoreCookies }: Terms): Policy {
  return {
    ...DEFAULT_POLICY,
    ttl,
    statusTtl: new Map(STATUSES.map(status => [status, ttl])),
    ignoreCookies,
    storeForValidation: false,
  }
}

/** The request for the rules. When the app has defined who shares an answer, credentials are left out. */
function requestOf({ head }: HttpExchange, { audience }: Terms): RequestHead {
  return audience.kind === 'anonymous' ? head : { ...head, fields: deleteField(head.fields, 'Authorization', 'Cookie') }
}

function responseOf(exchange: HttpExchange, { audience }: Terms, now: number): StoredResponse {
  const { status, fields } = exchange
  const seen = audience.kind === 'person' ? withoutPrivate(fields) : fields
  return { status, fields: seen, requestedAt: now, receivedAt: now }
}

/** Removes `private`, which is right for an answer for one person and does not prevent keeping it for that person. */
function withoutPrivate(fields: Fields): Fields {
  const members = listMembers(fieldLines(fields, 'Cache-Control'))
  const others = members.filter(member => !/^private$/i.test(member))
  if (others.length === members.length) return fields
  return others.length === 0
    ? deleteField(fields, 'Cache-Control')
    : setField(fields, 'Cache-Control', others.join(', '))
}
