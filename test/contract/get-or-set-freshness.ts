import type { ComputeContext, Computing, DiskCache } from 'fanout-cache'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Gate, nextTurn } from '../helpers/gate.js'
import { LARGE, noise, type Subject, withClock } from './subjects.js'

/** getOrSet with staleFor and beta: old values are answered while new ones are computed. */
export function getOrSetFreshnessSuite(subject: Subject): void {
  describe('getOrSet() of values that grow old', () => {
    serving(subject)
    renewing(subject)
    failing(subject)
    forgetting(subject)
    drawing(subject)
  })
}

const OPTIONS: Computing = { ttl: 1000, staleFor: 5000 }

/** Ends when every computation has begun that a call before it has asked for. */
async function begun(cache: DiskCache): Promise<void> {
  await nextTurn()
  await cache.expire({ now: 0 })
  await nextTurn()
}

function serving(subject: Subject): void {
  it('answers the old value at once during staleFor, and computes a new one beside', async () => {
    const { cache, clock } = withClock(subject)
    await cache.getOrSet('key', () => 'old', OPTIONS)
    clock.advance(1000)
    const gate = new Gate<string>()
    const factory = vi.fn((_: ComputeContext<string>) => gate.opened)
    const calls = Array.from({ length: 20 }, () => cache.getOrSet('key', factory, OPTIONS))
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['old']))
    await begun(cache)
    expect(await cache.getOrSet('key', factory, OPTIONS)).toBe('old')
    gate.open('new')
    await expect.poll(() => cache.get('key')).toBe('new')
    expect(factory).toHaveBeenCalledTimes(1)
    expect(factory.mock.calls[0]?.[0].previous).toBe('old')
  })

  it.skipIf(subject.sharesPlainData)(
    'gives the function a previous value of its own, not that of the caller',
    async () => {
      const { cache, clock } = withClock(subject)
      for (const [key, old] of Object.entries({ list: [1], bytes: Buffer.from([1]) })) {
        await cache.getOrSet<number[] | Buffer>(key, () => old, OPTIONS)
        clock.advance(1000)
        const seen: (number | undefined)[] = []
        const renew = ({ previous }: ComputeContext<number[] | Buffer>): number[] | Buffer => {
          seen.push(previous?.[0])
          if (previous) previous[0] = 2
          return previous ?? []
        }
        const answer = await cache.getOrSet<number[] | Buffer>(key, renew, OPTIONS)
        expect(answer[0]).toBe(1)
        answer[0] = 3
        await expect.poll(async () => (await cache.get<number[] | Buffer>(key))?.[0]).toBe(2)
        expect(answer[0]).toBe(3)
        expect(seen).toEqual([1])
      }
    },
  )

  it('is fresh until ttl and gone after ttl and staleFor', async () => {
    const { cache, clock } = withClock(subject)
    await cache.getOrSet('key', () => 'old', OPTIONS)
    clock.advance(999)
    const factory = vi.fn(({ previous }: ComputeContext<string>) => `after ${previous}`)
    expect(await cache.getOrSet('key', factory, OPTIONS)).toBe('old')
    await begun(cache)
    expect(factory).not.toHaveBeenCalled()
    clock.advance(5001)
    expect(await cache.has('key')).toBe(false)
    expect(await cache.getOrSet('key', factory, OPTIONS)).toBe('after undefined')
  })

  it('lets other verbs see the entry until ttl and staleFor are over', async () => {
    const { cache, clock } = withClock(subject)
    await cache.getOrSet('key', () => 'old', OPTIONS)
    expect((await cache.info('key'))?.expiresAt).toBe(clock.now() + 6000)
    clock.advance(5999)
    expect(await cache.get('key')).toBe('old')
    clock.advance(1)
    expect(await cache.get('key')).toBeUndefined()
  })

  it('knows of staleness without the options, too', async () => {
    const { cache, clock } = withClock(subject)
    await cache.getOrSet('key', () => 'old', OPTIONS)
    clock.advance(1000)
    expect(await cache.getOrSet('key', () => 'new')).toBe('old')
    await expect.poll(() => cache.get('key')).toBe('new')
  })

  it('counts the ttl that the function chose', async () => {
    const { cache, clock } = withClock(subject)
    const chosen = (context: ComputeContext<string>): string => {
      context.ttl(2000)
      return 'old'
    }
    await cache.getOrSet('key', chosen, OPTIONS)
    clock.advance(1999)
    const factory = vi.fn(() => 'new')
    await cache.getOrSet('key', factory, OPTIONS)
    await begun(cache)
    expect(factory).not.toHaveBeenCalled()
    clock.advance(1)
    expect(await cache.getOrSet('key', factory, OPTIONS)).toBe('old')
    await expect.poll(() => cache.get('key')).toBe('new')
  })

  it('keeps an old value for ever with staleFor Infinity, and still renews it after ttl', async () => {
    const { cache, clock } = withClock(subject)
    const options = { ttl: 1000, staleFor: Number.POSITIVE_INFINITY }
    await cache.getOrSet('key', () => 'old', options)
    clock.advance(1e12)
    expect(await cache.getOrSet('key', () => 'new', options)).toBe('old')
    await expect.poll(() => cache.get('key')).toBe('new')
  })
}

function renewing(subject: Subject): void {
  it('renews values that are files', async () => {
    const { cache, clock } = withClock(subject)
    const other = noise(50_000)
    await cache.getOrSet('key', () => LARGE, OPTIONS)
    clock.advance(1000)
    expect(await cache.getOrSet('key', () => other, OPTIONS)).toBe(LARGE)
    await expect.poll(() => cache.get('key')).toBe(other)
    expect(await cache.check()).toEqual([])
  })

  it('renews once for each time that a value grows old', async () => {
    const { cache, clock } = withClock(subject)
    let made = 0
    for (let round = 1; round <= 3; round++) {
      await cache.getOrSet('key', () => ++made, OPTIONS)
      await begun(cache)
      await cache.getOrSet('key', () => ++made, OPTIONS)
      await expect.poll(() => cache.get('key')).toBe(round)
      clock.advance(1000)
    }
    expect(made).toBe(3)
  })

  it('keeps the old value after skip(), and asks again at the next call', async () => {
    const { cache, clock } = withClock(subject)
    await cache.getOrSet('key', () => 'old', OPTIONS)
    clock.advance(1000)
    const factory = vi.fn((context: ComputeContext<string>) => {
      context.skip()
      return 'new'
    })
    for (const times of [1, 2]) {
      expect(await cache.getOrSet('key', factory, OPTIONS)).toBe('old')
      await begun(cache)
      expect(factory).toHaveBeenCalledTimes(times)
    }
  })

  it.each(['delete', 'evict', 'clear', 'pop', 'touch'] as const)(
    'does not bring back what %s() has removed meanwhile',
    async verb => {
      const { cache, clock } = withClock(subject)
      await cache.getOrSet('key', () => 'old', { ...OPTIONS, tag: 'red' })
      clock.advance(1000)
      const gate = new Gate<string>()
      const ended = new Gate()
      const factory = async (): Promise<string> => {
        const value = await gate.opened
        ended.open()
        return value
      }
      expect(await cache.getOrSet('key', factory, OPTIONS)).toBe('old')
      await begun(cache)
      const removals = {
        delete: () => cache.delete('key'),
        evict: () => cache.evict('red'),
        clear: () => cache.clear(),
        pop: () => cache.pop('key'),
        touch: () => cache.touch('key', { ttl: 0 }),
      }
      await removals[verb]()
      gate.open('made before it was removed')
      await ended.opened
      await begun(cache)
      expect(await cache.get('key')).toBeUndefined()
    },
  )

  it('stores what was computed when the old value has expired meanwhile', async () => {
    const { cache, clock } = withClock(subject)
    await cache.getOrSet('key', () => 'old', OPTIONS)
    clock.advance(1000)
    const gate = new Gate<string>()
    expect(await cache.getOrSet('key', () => gate.opened, OPTIONS)).toBe('old')
    await begun(cache)
    clock.advance(5000)
    const waiting = cache.getOrSet('key', () => expect.unreachable(), OPTIONS)
    gate.open('new')
    expect(await waiting).toBe('new')
    expect(await cache.get('key')).toBe('new')
  })
}

function failing(subject: Subject): void {
  it('goes on with the old value when the new one fails, and tells of each failure once', async () => {
    const { cache, clock } = withClock(subject)
    const errors: Error[] = []
    cache.on('error', error => errors.push(error))
    await cache.getOrSet('key', () => 'old', OPTIONS)
    clock.advance(1000)
    const failure = new Error('no source')
    const factory = vi.fn(() => Promise.reject(failure))
    const calls = Array.from({ length: 5 }, () => cache.getOrSet('key', factory, OPTIONS))
    expect(await Promise.all(calls)).toEqual(calls.map(() => 'old'))
    await begun(cache)
    expect(errors).toEqual([failure])
    expect(factory).toHaveBeenCalledTimes(1)
    expect(await cache.getOrSet('key', () => 'new', OPTIONS)).toBe('old')
    await expect.poll(() => cache.get('key')).toBe('new')
  })

  it('tells as an Error also what is none', async () => {
    const { cache, clock } = withClock(subject)
    const errors: Error[] = []
    cache.on('error', error => errors.push(error))
    await cache.getOrSet('key', () => 'old', OPTIONS)
    clock.advance(1000)
    for (const reason of ['text', undefined, { code: 7 }]) {
      expect(await cache.getOrSet('key', () => Promise.reject(reason), OPTIONS)).toBe('old')
      await begun(cache)
      expect(errors.pop()).toMatchObject({ cause: reason, message: expect.any(String) })
    }
  })
}

function forgetting(subject: Subject): void {
  it.each(['set', 'touch'] as const)('takes what %s() has changed for fresh', async verb => {
    const { cache, clock } = withClock(subject)
    await cache.getOrSet('key', () => 'old', { ...OPTIONS, beta: 1 })
    if (verb === 'set') await cache.set('key', 'old', { ttl: 1500 })
    else await cache.touch('key', { ttl: 1500 })
    clock.advance(1499)
    const factory = vi.fn(() => 'new')
    expect(await cache.getOrSet('key', factory, { ...OPTIONS, beta: 1e12 })).toBe('old')
    await begun(cache)
    expect(factory).not.toHaveBeenCalled()
    clock.advance(1)
    expect(await cache.getOrSet('key', factory, OPTIONS)).toBe('new')
  })
}

function drawing(subject: Subject): void {
  /** How often a value is computed anew, `left` milliseconds before it expires. */
  async function renewals(stored: Computing, asked: Computing, left: number): Promise<number> {
    const { cache, clock } = withClock(subject)
    await cache.getOrSet('key', () => nextTurn().then(() => 'old'), { ttl: 10_000, ...stored })
    clock.advance(10_000 - left)
    const factory = vi.fn((context: ComputeContext<string>) => {
      context.skip()
      return 'new'
    })
    for (let call = 0; call < 20; call++) {
      expect(await cache.getOrSet('key', factory, asked)).toBe('old')
      await begun(cache)
    }
    return factory.mock.calls.length
  }

  it('draws by XFetch, and takes the time of a computation on the clock by which values expire', async () => {
    const { cache, clock } = withClock(subject)
    const slow = (): string => {
      clock.advance(2000)
      return 'old'
    }
    await cache.getOrSet('key', slow, { ttl: 10_000, beta: 1 })
    const draw = vi.spyOn(Math, 'random').mockReturnValue(0.5)
    onTestFinished(() => draw.mockRestore())
    // -2000 ms · ln(0.5) = 1386 ms before the end
    clock.advance(8600)
    const factory = vi.fn(() => 'new')
    expect(await cache.getOrSet('key', factory, { ttl: 10_000, beta: 1 })).toBe('old')
    await begun(cache)
    expect(factory).not.toHaveBeenCalled()
    clock.advance(20)
    expect(await cache.getOrSet('key', factory, { ttl: 10_000, beta: 1 })).toBe('old')
    await expect.poll(() => cache.get('key')).toBe('new')
  })

  it('computes early with a large beta, while the old value is answered', async () => {
    expect(await renewals({ beta: 1 }, { beta: 1e12 }, 10)).toBe(20)
    const { cache, clock } = withClock(subject)
    await cache.getOrSet('key', () => nextTurn().then(() => 'old'), { ttl: 10_000, beta: 1 })
    clock.advance(5000)
    const factory = vi.fn(({ previous }: ComputeContext<string>) => `after ${previous}`)
    expect(await cache.getOrSet('key', factory, { ttl: 10_000, beta: 1e12 })).toBe('old')
    await expect.poll(() => cache.get('key')).toBe('after old')
    expect(factory).toHaveBeenCalledTimes(1)
  })

  it('does not compute early with beta 0, nor without beta', async () => {
    expect(await renewals({ beta: 1 }, { beta: 0 }, 1)).toBe(0)
    expect(await renewals({ beta: 1 }, {}, 1)).toBe(0)
  })

  it('does not compute early where it is not known how long the computation took', async () => {
    expect(await renewals({}, { beta: 1e12 }, 1)).toBe(0)
  })

  it('draws for the end of ttl, not of staleFor', async () => {
    expect(await renewals({ ttl: 4000, staleFor: 6000 }, { beta: 0 }, 6001)).toBe(0)
    expect(await renewals({ ttl: 4000, staleFor: 6000 }, { beta: 0 }, 6000)).toBe(20)
  })
}
