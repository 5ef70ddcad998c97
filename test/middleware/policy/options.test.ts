import { describe, expect, it } from 'vitest'
import {
  DEFAULT_POLICY,
  POLICY_OPTION_NAMES,
  type PolicyOptions,
  resolvePolicy,
} from '../../../src/middleware/policy/options.js'

describe('resolvePolicy', () => {
  it('is safe without options', () => {
    expect(DEFAULT_POLICY).toEqual({
      name: 'fanout-cache',
      ttl: undefined,
      statusTtl: new Map(),
      ignoreCookies: false,
      staleWhileRevalidate: 0,
      staleIfError: 0,
      staleDespiteSMaxage: false,
      storeSetCookie: false,
      heuristics: undefined,
      storePartial: false,
      cachePost: false,
      storeForValidation: true,
      requestDirectives: new Set(['no-store', 'max-stale', 'only-if-cached']),
      targets: ['fanout-cache-Cache-Control', 'CDN-Cache-Control'],
    })
    expect([...POLICY_OPTION_NAMES].sort()).toEqual(Object.keys(DEFAULT_POLICY).sort())
  })

  it('reads durations', () => {
    const policy = resolvePolicy({
      ttl: '5s',
      statusTtl: { 404: '1m', 503: 10 },
      staleIfError: '1h',
      heuristics: { max: '2d' },
    })
    expect(policy).toMatchObject({
      ttl: 5000,
      staleIfError: 3_600_000,
      heuristics: { fraction: 0.1, max: 172_800_000 },
    })
    expect([...policy.statusTtl]).toEqual([
      [404, 60_000],
      [503, 10],
    ])
  })

  it('has a targeted field of its own where the name is a token', () => {
    expect(resolvePolicy({ name: 'App' }).targets).toEqual(['App-Cache-Control', 'CDN-Cache-Control'])
    expect(resolvePolicy({ name: 'my app' }).targets).toEqual(['CDN-Cache-Control'])
    expect(resolvePolicy({ targets: [] }).targets).toEqual([])
  })

  it.each<[options: object, message: RegExp, kind?: ErrorConstructor | typeof TypeError]>([
    [{ ttl: -1 }, /ttl must be a duration/, RangeError],
    [{ ttl: null }, /ttl must be milliseconds/, TypeError],
    [{ statusTtl: { 304: 1 } }, /statusTtl: a status from 200 to 599/, RangeError],
    [{ statusTtl: { 206: 1 } }, /statusTtl: a status from 200 to 599/, RangeError],
    [{ statusTtl: { x: 1 } }, /statusTtl.*got x/, RangeError],
    [{ statusTtl: { 404: 'soon' } }, /statusTtl\[404\] must be milliseconds/, RangeError],
    [{ statusTtl: 5 }, /statusTtl: options must be an object/, TypeError],
    [{ heuristics: 'yes' }, /heuristics: options must be an object/, TypeError],
    [{ heuristics: { fractoin: 1 } }, /did you mean fraction/, TypeError],
    [{ heuristics: { fraction: 2 } }, /heuristics.fraction must be/, RangeError],
    [{ heuristics: { max: -1 } }, /heuristics.max must be/, RangeError],
    [{ storeSetCookie: 'yes' }, /storeSetCookie must be true or false, got 'yes'/, TypeError],
    [{ ignoreCookies: 1 }, /ignoreCookies must be true or false/, TypeError],
    [{ requestDirectives: 'some' }, /requestDirectives must be 'all' or an array/, TypeError],
    [{ requestDirectives: ['no-cache', 'private'] }, /requestDirectives: expected no-store.*got 'private'/, RangeError],
    [{ targets: 'x' }, /targets must be an array/, TypeError],
    [{ targets: ['a b'] }, /targets must be field names, got 'a b'/, TypeError],
    [{ name: '' }, /name must be 1 to 200/, RangeError],
    [{ name: 5 }, /name must be a string/, TypeError],
  ])('refuses %j', (options, message, kind = Error) => {
    expect(() => resolvePolicy(options as PolicyOptions)).toThrow(message)
    expect(() => resolvePolicy(options as PolicyOptions)).toThrow(kind)
  })
})
