import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cacheStatus } from '../../../src/middleware/policy/cache-status.js'
import { evaluate, validatorsOf } from '../../../src/middleware/policy/conditional.js'
import { currentAge, freshnessOf } from '../../../src/middleware/policy/freshness.js'
import { urisToInvalidate } from '../../../src/middleware/policy/invalidation.js'
import type { Fields, RequestHead, StoredResponse } from '../../../src/middleware/policy/message.js'
import { DEFAULT_POLICY, type PolicyOptions, resolvePolicy } from '../../../src/middleware/policy/options.js'
import { rangesOf } from '../../../src/middleware/policy/range.js'
import { bypassOf } from '../../../src/middleware/policy/request-directives.js'
import { decide, mayServeStaleOnError } from '../../../src/middleware/policy/reuse.js'
import { storability } from '../../../src/middleware/policy/storability.js'
import { fieldsToStore } from '../../../src/middleware/policy/stored-fields.js'
import { updatedBy304, updatedByHead } from '../../../src/middleware/policy/update.js'
import { isFreshenedBy, validationFields } from '../../../src/middleware/policy/validation.js'
import { selectingKey, varyOf } from '../../../src/middleware/policy/vary.js'
import { date, NOW, SECOND } from './messages.js'

const NAMES = [
  ...[
    'Cache-Control',
    'CDN-Cache-Control',
    'fanout-cache-Cache-Control',
    'Expires',
    'Age',
    'Date',
    'Last-Modified',
    'ETag',
    'Vary',
    'Pragma',
  ],
  ...[
    'Content-Length',
    'Content-Location',
    'Location',
    'Connection',
    'Set-Cookie',
    'Cache-Status',
    'Range',
    'If-Range',
    'If-None-Match',
  ],
  ...[
    'If-Match',
    'If-Modified-Since',
    'If-Unmodified-Since',
    'Accept-Encoding',
    'Accept',
    'Accept-Language',
    'Cookie',
    'Upgrade',
    'Foo',
  ],
]
const WORDS = [
  ...[
    'max-age',
    's-maxage',
    'public',
    'private',
    'no-cache',
    'no-store',
    'must-revalidate',
    'proxy-revalidate',
    'must-understand',
  ],
  ...[
    'stale-while-revalidate',
    'stale-if-error',
    'max-stale',
    'min-fresh',
    'only-if-cached',
    '=',
    '=60',
    '="60"',
    '=0',
    '="foo"',
    ',',
    ', ',
  ],
  ...[
    '"',
    '\\',
    ';',
    ' ',
    '*',
    '-',
    'bytes=',
    '0-',
    '-5',
    'W/',
    '"a"',
    date(0),
    date(60),
    'gzip',
    'q=',
    '0.5',
    '60',
    '?1',
    '(',
    ')',
    'http://',
    '/x',
  ],
]

/** Everything that Node lets into a field: any byte, as latin1. */
const bytes = fc.uint8Array({ maxLength: 40 }).map(value => Buffer.from(value).toString('latin1'))
const words = fc.array(fc.constantFrom(...WORDS), { maxLength: 12 }).map(list => list.join(''))
const field = fc.tuple(
  fc.oneof({ arbitrary: fc.constantFrom(...NAMES), weight: 9 }, bytes),
  fc.oneof(bytes, words, fc.string({ unit: 'binary' })),
)
const fields: fc.Arbitrary<Fields> = fc.array(field, { maxLength: 12 })
const status = fc.oneof(fc.constantFrom(200, 206, 301, 304, 404, 500), fc.integer({ min: -1, max: 1000 }))
const instant = fc.integer({ min: -100_000, max: 100_000 }).map(offset => NOW + offset)

const request: fc.Arbitrary<RequestHead> = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'FOO'),
  url: fc.oneof(fc.constant('http://example.com/a'), fc.string()),
  fields,
})
const stored: fc.Arbitrary<StoredResponse> = fc.record({ status, fields, requestedAt: instant, receivedAt: instant })
const options: fc.Arbitrary<PolicyOptions> = fc.record(
  {
    ttl: fc.nat(100_000),
    statusTtl: fc.constant({ 404: 5000 }),
    heuristics: fc.boolean(),
    storeSetCookie: fc.boolean(),
    storePartial: fc.boolean(),
    cachePost: fc.boolean(),
    ignoreCookies: fc.boolean(),
    staleWhileRevalidate: fc.nat(100_000),
    staleIfError: fc.nat(100_000),
    staleDespiteSMaxage: fc.boolean(),
    requestDirectives: fc.constantFrom<'all' | []>('all', []),
  },
  { requiredKeys: [] },
)

describe('all rules', () => {
  it('never throw, whatever bytes are in whatever field', () => {
    fc.assert(
      fc.property(request, stored, stored, options, instant, (asked, response, other, given, now) => {
        const policy = resolvePolicy(given)
        storability(asked, response, policy)
        decide(asked, response, now, policy)
        mayServeStaleOnError(response, now, policy)
        bypassOf(asked)
        evaluate(asked, { ...validatorsOf(response.fields), now })
        rangesOf(asked, { size: 10, ...validatorsOf(response.fields), now })
        updatedBy304(response, other, policy)
        updatedByHead(response, other, policy)
        isFreshenedBy(response, other)
        validationFields(response)
        urisToInvalidate(asked, response)
        const names = varyOf(response.fields)
        if (names !== '*') selectingKey(names, asked)
        cacheStatus({ name: 'app', key: asked.url, detail: asked.method })
      }),
      { numRuns: 1000 },
    )
  })

  it('change nothing of what they are given', () => {
    fc.assert(
      fc.property(request, stored, stored, (asked, response, other) => {
        const before = structuredClone([asked, response, other])
        storability(asked, response, DEFAULT_POLICY)
        updatedBy304(response, other, DEFAULT_POLICY)
        fieldsToStore(response.fields, DEFAULT_POLICY)
        expect([asked, response, other]).toEqual(before)
      }),
    )
  })
})

describe('what must never be stored by default', () => {
  const wanting: Fields = [['Cache-Control', 'public, max-age=60, s-maxage=60']]
  const untargeted = fields.map(list => list.filter(([name]) => !/^(cdn|fanout-cache)-cache-control$/i.test(name)))

  /** Fields with a line put among them somewhere. */
  const withLine = (line: readonly [string, string]) =>
    fc.tuple(untargeted, fc.nat(20)).map(([list, at]): Fields => [...wanting, ...list].toSpliced(at, 0, line))

  it.each<[name: string, value: string]>([
    ['Cache-Control', 'no-store'],
    ['cache-control', 'a=b,No-Store,max-age=5'],
    ['Cache-Control', 'private'],
    ['Cache-Control', 'max-age=60, PRIVATE'],
    ['Set-Cookie', 'a=b'],
    ['set-cookie', ''],
    ['Vary', '*'],
    ['Vary', 'Accept, *'],
    ['Vary', 'Cookie'],
    ['vary', 'accept,authorization'],
  ])('%s: %s, whatever else it carries', (name, value) => {
    fc.assert(
      fc.property(withLine([name, value]), fields, (list, asked) => {
        const understood = list.some(([, text]) => text.toLowerCase().includes('must-understand'))
        fc.pre(!(understood && /no-store/i.test(value)))
        const response = { status: 200, fields: list, requestedAt: NOW, receivedAt: NOW }
        return !storability({ method: 'GET', url: 'http://example.com/a', fields: asked }, response, DEFAULT_POLICY)
          .store
      }),
      { numRuns: 300 },
    )
  })

  it('an answer to Authorization without permission', () => {
    const grants = /public|s-maxage|must-revalidate/i
    const ungranted = untargeted.map(list => list.filter(([, value]) => !grants.test(value)))
    fc.assert(
      fc.property(ungranted, fields, (list, asked) => {
        const head: RequestHead = {
          method: 'GET',
          url: 'http://example.com/a',
          fields: [...asked, ['authorization', 'x']],
        }
        const response = {
          status: 200,
          fields: [['Cache-Control', 'max-age=60'], ...list] as Fields,
          requestedAt: NOW,
          receivedAt: NOW,
        }
        return !storability(head, response, DEFAULT_POLICY).store
      }),
    )
  })

  it('an answer that says nothing of freshness', () => {
    const silent = fields.map(list => list.filter(([name]) => !/cache-control$|^expires$/i.test(name)))
    fc.assert(
      fc.property(silent, status, (list, code) => {
        const response = { status: code, fields: list, requestedAt: NOW, receivedAt: NOW }
        return !storability({ method: 'GET', url: 'http://example.com/a', fields: [] }, response, DEFAULT_POLICY).store
      }),
    )
  })
})

describe('age and freshness', () => {
  it('age grows with time, by as much, and is never less than the time that a response is here', () => {
    fc.assert(
      fc.property(stored, fc.nat(1e9), fc.nat(1e9), (response, first, more) => {
        const then = currentAge(response, response.receivedAt + first)
        expect(then).toBeGreaterThanOrEqual(first)
        expect(currentAge(response, response.receivedAt + first + more)).toBe(then + more)
        expect(currentAge(response, response.receivedAt - first)).toBeGreaterThanOrEqual(0)
      }),
    )
  })

  it('a response that became stale does not become fresh again', () => {
    fc.assert(
      fc.property(request, stored, options, instant, fc.nat(100_000), (asked, response, given, now, more) => {
        const policy = resolvePolicy(given)
        const later = decide(asked, response, now + more, policy)
        if (later.kind === 'fresh') expect(['fresh', 'validate']).toContain(decide(asked, response, now, policy).kind)
      }),
    )
  })

  it('nothing is fresh whose time is over, and nothing stale is served against its will', () => {
    fc.assert(
      fc.property(request, stored, options, instant, (asked, response, given, now) => {
        const policy = resolvePolicy(given)
        const decision = decide(asked, response, now, policy)
        const { lifetime, source } = freshnessOf(response, policy)
        if (decision.kind === 'fresh') {
          expect(decision.ttl).toBeGreaterThan(0)
          if (source !== 'option') expect(lifetime).toBeGreaterThan(decision.age)
        }
        const own = response.fields.filter(([name]) => /^cache-control$/i.test(name))
        const strict = own.some(([, value]) => /^(must-revalidate|no-cache|proxy-revalidate)$/.test(value))
        const targeted = response.fields.some(([name]) => /-cache-control$/i.test(name))
        if (strict && !targeted) expect(decision.kind).not.toMatch(/^stale/)
      }),
      { numRuns: 500 },
    )
  })

  it('a 304 leaves what was stored as fresh as the 304 says', () => {
    fc.assert(
      fc.property(stored, fc.nat(1000), (response, seconds) => {
        const fresh: Fields = [
          ['Cache-Control', `max-age=${seconds}`],
          ['Date', date(0)],
        ]
        const updated = updatedBy304(
          response,
          { status: 304, fields: fresh, requestedAt: NOW, receivedAt: NOW },
          DEFAULT_POLICY,
        )
        fc.pre(!response.fields.some(([name]) => /-cache-control$/i.test(name)))
        expect(freshnessOf(updated, DEFAULT_POLICY).lifetime).toBe(seconds * SECOND)
        expect(currentAge(updated, NOW)).toBe(0)
      }),
    )
  })
})
