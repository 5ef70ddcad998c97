import { cacheKey } from '../../../src/middleware/policy/cache-key.js'
import { evaluate, validatorsOf } from '../../../src/middleware/policy/conditional.js'
import { deleteField, fieldValue, setField } from '../../../src/middleware/policy/fields.js'
import { ageField } from '../../../src/middleware/policy/freshness.js'
import { urisToInvalidate } from '../../../src/middleware/policy/invalidation.js'
import type { Fields, RequestHead, StoredResponse } from '../../../src/middleware/policy/message.js'
import { type Policy, type PolicyOptions, resolvePolicy } from '../../../src/middleware/policy/options.js'
import { contentRange, rangesOf, unsatisfiedRange } from '../../../src/middleware/policy/range.js'
import { bypassOf, demandsOf } from '../../../src/middleware/policy/request-directives.js'
import { ageingOf, decide, mayServeStaleOnError } from '../../../src/middleware/policy/reuse.js'
import { isServerError } from '../../../src/middleware/policy/statuses.js'
import { afterUpdate, storability } from '../../../src/middleware/policy/storability.js'
import { fieldsToStore } from '../../../src/middleware/policy/stored-fields.js'
import { updatedBy304, updatedByHead } from '../../../src/middleware/policy/update.js'
import { isFreshenedBy, validationFields } from '../../../src/middleware/policy/validation.js'
import { selectingKey, varyOf } from '../../../src/middleware/policy/vary.js'
import { date, fieldsOf, NOW, SECOND } from './messages.js'

/** What the origin answers when it is asked; `down` when nobody answers. */
export type Reply = { status?: number; lines?: readonly string[]; body?: string; takes?: number } | 'down'

/** One request at a time, in seconds from the start, and what the origin would answer. */
export interface Exchange {
  at: number
  method?: string
  url?: string
  lines?: readonly string[]
  origin?: Reply
}

/** What came of it. */
export interface Outcome {
  /** Who answered: the cache alone, the origin, or the cache after the origin was asked. */
  by: 'cache' | 'origin' | 'validated' | 'stale'
  status: number
  fields: Fields
  body: string
  /** What the origin was asked, if it was. */
  forwarded: Fields | undefined
}

interface Variant {
  stored: StoredResponse
  body: string
  selecting: string
}

const CONDITIONS = ['If-None-Match', 'If-Modified-Since', 'If-Match', 'If-Unmodified-Since', 'If-Range', 'Range']

/**
 * A cache that is nothing but the rules, one after another, over a map: no sockets, no files, no clock. Whole scenarios
 * of RFC 9111 run in it within microseconds, and it shows how the rules go together.
 */
export class CacheSimulator {
  readonly #policy: Policy
  readonly #entries = new Map<string, Variant[]>()

  constructor(options: PolicyOptions = {}) {
    this.#policy = resolvePolicy(options)
  }

  run(exchange: Exchange): Outcome {
    const now = NOW + exchange.at * SECOND
    const { method = 'GET', url = 'http://example.com/page', lines = [] } = exchange
    const request: RequestHead = { method, url, fields: fieldsOf(lines) }
    const key = keyOf(url)
    if (bypassOf(request) !== undefined || key === undefined) return this.#forward(request, exchange, now)
    const variant = this.#select(key, request)
    if (!variant) return this.#miss(request, exchange, key, now)
    const decision = decide(request, variant.stored, now, this.#policy)
    if (decision.kind === 'fresh' || decision.kind === 'stale') return this.#answer(request, variant, now, 'cache')
    if (decision.kind === 'gateway-timeout') return timeout()
    if (decision.kind === 'bypass') return this.#miss(request, exchange, key, now)
    if (decision.kind === 'validate') return this.#validate(request, exchange, key, variant, now)
    const answer = this.#answer(request, variant, now, 'stale')
    // What is behind the answer costs no time here.
    const { forwarded } = this.#validate(
      { ...request, fields: deleteField(request.fields, ...CONDITIONS) },
      exchange,
      key,
      variant,
      now,
    )
    return { ...answer, forwarded }
  }

  /** The latest of the variants that match (RFC 9111 §4.1). */
  #select(key: string, request: RequestHead): Variant | undefined {
    const matching = (this.#entries.get(key) ?? []).filter(({ stored, selecting }) => {
      const names = varyOf(stored.fields)
      return names !== '*' && selectingKey(names, request) === selecting
    })
    return matching.sort((a, b) => b.stored.receivedAt - a.stored.receivedAt)[0]
  }

  /** Past the cache; what an unsafe method makes invalid goes. */
  #forward(request: RequestHead, exchange: Exchange, now: number): Outcome {
    const reply = this.#ask(request, exchange, now)
    if (!reply) return failed(request.fields)
    for (const uri of urisToInvalidate(request, reply.stored)) this.#entries.delete(keyOf(uri) ?? '')
    const key = keyOf(request.url)
    if (key !== undefined) this.#store(key, request, reply)
    return { by: 'origin', ...reply.stored, body: reply.body, forwarded: request.fields }
  }

  #miss(request: RequestHead, exchange: Exchange, key: string, now: number): Outcome {
    if (demandsOf(request, this.#policy).onlyIfCached) return timeout()
    const forwarded = deleteField(request.fields, ...CONDITIONS)
    const reply = this.#ask(request, exchange, now)
    if (!reply) return failed(forwarded)
    if (request.method === 'HEAD') this.#head(key, request, reply.stored)
    this.#store(key, request, reply)
    return { ...this.#answer(request, reply, reply.stored.receivedAt, 'origin'), forwarded }
  }

  #validate(request: RequestHead, exchange: Exchange, key: string, variant: Variant, now: number): Outcome {
    const others = this.#entries.get(key) ?? []
    const forwarded = [...deleteField(request.fields, ...CONDITIONS), ...validationFields(variant.stored)]
    const reply = this.#ask(request, exchange, now)
    if (!reply || isServerError(reply.stored.status)) {
      if (mayServeStaleOnError(variant.stored, now, this.#policy))
        return { ...this.#answer(request, variant, now, 'stale'), forwarded }
      return reply ? { by: 'origin', ...reply.stored, body: reply.body, forwarded } : failed(forwarded)
    }
    const received = reply.stored.receivedAt
    if (reply.stored.status === 304) {
      if (!isFreshenedBy(variant.stored, reply.stored)) throw new Error('a 304 about something else')
      const stored = updatedBy304(variant.stored, reply.stored, this.#policy)
      const renewed = { ...variant, stored }
      const after = afterUpdate(request, variant.stored, stored, this.#policy)
      const left = { update: [renewed], keep: [variant], remove: [], refetch: [] }[after]
      this.#entries.set(key, [...others.filter(other => other !== variant), ...left])
      return { ...this.#answer(request, renewed, received, 'validated'), forwarded }
    }
    if (request.method === 'HEAD') this.#head(key, request, reply.stored)
    this.#store(key, request, reply)
    return { ...this.#answer(request, reply, received, 'origin'), forwarded }
  }

  #ask(request: RequestHead, { origin }: Exchange, now: number): Variant | undefined {
    if (origin === undefined) throw new Error('the origin was asked')
    if (origin === 'down') return undefined
    const { status = 200, lines = [], body = 'body', takes = 0 } = origin
    const receivedAt = now + takes * SECOND
    const given = fieldsOf(lines)
    const fields =
      fieldValue(given, 'Date') === undefined ? [...given, ['Date', date((receivedAt - NOW) / SECOND)] as const] : given
    const stored = { status, fields, requestedAt: now, receivedAt }
    return { stored, body: request.method === 'HEAD' ? '' : body, selecting: '' }
  }

  #store(key: string, request: RequestHead, { stored, body }: Variant): void {
    if (!storability(request, stored, this.#policy).store) return
    const names = varyOf(stored.fields)
    if (names === '*') return
    const selecting = selectingKey(names, request)
    const kept = { ...stored, fields: fieldsToStore(stored.fields, this.#policy) }
    const others = (this.#entries.get(key) ?? []).filter(
      other => String(varyOf(other.stored.fields)) !== String(names) || other.selecting !== selecting,
    )
    this.#entries.set(key, [...others, { stored: kept, body, selecting }])
  }

  #head(key: string, request: RequestHead, head: StoredResponse): void {
    const variant = this.#select(key, request)
    if (!variant || head.status === 304) return
    const updated = updatedByHead(variant.stored, head, this.#policy)
    const others = (this.#entries.get(key) ?? []).filter(other => other !== variant)
    this.#entries.set(key, updated === 'invalidate' ? others : [...others, { ...variant, stored: updated }])
  }

  /** Conditions and ranges are evaluated on the way out. */
  #answer(request: RequestHead, { stored, body }: Variant, now: number, by: Outcome['by']): Outcome {
    const { age } = ageingOf(stored, now, this.#policy)
    const fields = by === 'origin' ? stored.fields : setField(stored.fields, 'Age', ageField(age))
    const whole: Outcome = {
      by,
      status: stored.status,
      fields,
      body: request.method === 'HEAD' ? '' : body,
      forwarded: undefined,
    }
    const validators = { ...validatorsOf(fields), now }
    const condition = evaluate(request, { ...validators, status: stored.status })
    if (condition !== 'pass') return { ...whole, status: condition, body: '' }
    if (stored.status !== 200) return whole
    const ranges = rangesOf(request, { ...validators, size: body.length })
    if (ranges.kind === 'unsatisfiable') {
      return {
        ...whole,
        status: 416,
        fields: setField(fields, 'Content-Range', unsatisfiedRange(body.length)),
        body: '',
      }
    }
    if (ranges.kind !== 'single') return whole
    const part = setField(fields, 'Content-Range', contentRange(ranges, body.length))
    return { ...whole, status: 206, fields: part, body: body.slice(ranges.start, ranges.end + 1) }
  }
}

function keyOf(url: string): string | undefined {
  const { protocol, host, pathname, search } = new URL(url)
  const made = cacheKey({ name: 'app', scheme: protocol.slice(0, -1), authority: host, target: pathname + search })
  return 'key' in made ? made.key : undefined
}

function timeout(): Outcome {
  return { by: 'cache', status: 504, fields: [], body: '', forwarded: undefined }
}

function failed(forwarded: Fields): Outcome {
  return { by: 'origin', status: 502, fields: [], body: '', forwarded }
}
