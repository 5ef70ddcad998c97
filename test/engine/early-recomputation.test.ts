import type { Cache, ComputeContext } from 'fanout-cache'
import { describe, expect, it, vi } from 'vitest'
import { cacheSubject, withClock } from '../contract/subjects.js'
import { nextTurn } from '../helpers/gate.js'
import type { ManualClock } from '../helpers/manual-clock.js'
import { rawDatabase } from '../helpers/raw-database.js'

const TTL = 100_000
const KEYS = Array.from({ length: 500 }, (_, key) => key)
/** Five standard deviations of a share of 500 draws: one run in a million is outside. */
const TOLERANCE = 0.11

/** Values that took a second each, as far as the cache knows. */
async function computed(): Promise<{ cache: Cache; clock: ManualClock }> {
  const { cache, clock } = withClock(cacheSubject('structured'))
  await Promise.all(KEYS.map(key => cache.getOrSet(key, () => 'old', { ttl: TTL, beta: 1 })))
  rawDatabase(cache.directory).prepare('UPDATE Freshness SET seconds = 1').run()
  return { cache, clock }
}

/** The share of calls that had a new value computed before the old one expired. */
async function drawn(cache: Cache, beta: number): Promise<number> {
  const factory = vi.fn(({ skip }: ComputeContext<string>) => {
    skip()
    return 'new'
  })
  const answers = await Promise.all(KEYS.map(key => cache.getOrSet(key, factory, { ttl: TTL, beta })))
  expect(new Set(answers)).toEqual(new Set(['old']))
  // Computations take their place among the writes; when a later write is done, all of them have begun.
  await nextTurn()
  await cache.expire({ now: 0 })
  await nextTurn()
  return factory.mock.calls.length / KEYS.length
}

/** XFetch: -seconds · beta · ln(random) reaches the end with this probability. */
function probability(beta: number, secondsLeft: number): number {
  return Math.exp(-secondsLeft / beta)
}

function expectNear(shares: readonly number[], probabilities: readonly number[]): void {
  for (const [at, share] of shares.entries()) {
    expect(Math.abs(share - (probabilities[at] ?? Number.NaN)), `${shares} of ${probabilities}`).toBeLessThan(TOLERANCE)
    if (at > 0) expect(share, String(shares)).toBeGreaterThan(shares[at - 1] ?? Number.NaN)
  }
}

describe('getOrSet() with beta', () => {
  it('computes early the more often the nearer the end is', async () => {
    const { cache, clock } = await computed()
    let left = TTL
    const shares: number[] = []
    const ends = [4, 2, 1, 0.5, 0.1]
    for (const seconds of ends) {
      clock.advance(left - seconds * 1000)
      left = seconds * 1000
      shares.push(await drawn(cache, 1))
    }
    expectNear(
      shares,
      ends.map(seconds => probability(1, seconds)),
    )
  })

  it('computes early the more often the greater beta is', async () => {
    const { cache, clock } = await computed()
    clock.advance(TTL - 2000)
    const betas = [0.5, 1, 2, 4, 20]
    const shares: number[] = []
    for (const beta of betas) shares.push(await drawn(cache, beta))
    expectNear(
      shares,
      betas.map(beta => probability(beta, 2)),
    )
  })

  it('leaves alone what is far from its end', async () => {
    const { cache } = await computed()
    expect(await drawn(cache, 1)).toBe(0)
  })

  it('draws anew at each call', async () => {
    const { cache, clock } = await computed()
    clock.advance(TTL - 1000)
    const shares = [await drawn(cache, 1), await drawn(cache, 1), await drawn(cache, 1)]
    for (const share of shares) expect(Math.abs(share - probability(1, 1))).toBeLessThan(TOLERANCE)
  })

  it('knows how long the computation took', async () => {
    const { cache } = withClock(cacheSubject('structured'))
    const slow = async (): Promise<string> => {
      await new Promise(resolve => setTimeout(resolve, 100))
      return 'value'
    }
    await cache.getOrSet('slow', slow, { ttl: TTL, beta: 1 })
    const seconds = rawDatabase(cache.directory).prepare('SELECT seconds FROM Freshness').pluck().all()
    expect(seconds).toHaveLength(1)
    expect(seconds[0]).toBeGreaterThan(0.09)
  })

  it('draws for longer computations earlier', async () => {
    const { cache, clock } = await computed()
    rawDatabase(cache.directory).prepare('UPDATE Freshness SET seconds = 4').run()
    clock.advance(TTL - 4000)
    expect(Math.abs((await drawn(cache, 1)) - probability(1, 1))).toBeLessThan(TOLERANCE)
  })
})
