import { memoizeStampede } from 'fanout-cache'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { everySubject, withClock } from '../../contract/subjects.js'

for (const subject of everySubject()) {
  describe(`memoizeStampede on a ${subject.name}`, () => {
    it('computes once for the same arguments', async () => {
      const compute = vi.fn(async (id: number) => id * 2)
      const double = memoizeStampede(subject.make(), compute, { name: 'double', ttl: '1h' })
      expect([await double(1), await double(1), await double(2)]).toEqual([2, 2, 4])
      expect(compute).toHaveBeenCalledTimes(2)
    })

    it('answers with the old result while it computes a new one before the end', async () => {
      const { cache, clock } = withClock(subject)
      drawLots(0.5)
      const { compute, finish } = held()
      // Infinitely eager: as long as it takes to compute is always near the end.
      const find = memoizeStampede(cache, compute, { name: 'find', ttl: '1m', beta: 1e12 })
      const cold = find(1)
      await finish('first')
      expect(await cold).toBe('first')
      clock.advance(30_000)
      expect(await find(1)).toBe('first')
      await expect.poll(() => compute).toHaveBeenCalledTimes(2)
      expect(await find(1)).toBe('first')
      await finish('second')
      await expect.poll(() => cache.get(find.cacheKey(1))).toBe('second')
    })

    it('computes a new result with the arguments of the call, whatever becomes of them afterwards', async () => {
      const { cache, clock } = withClock(subject)
      drawLots(0.5)
      const compute = vi.fn(async ({ page }: { page: number }) => {
        clock.advance(1)
        return `page ${page}`
      })
      const find = memoizeStampede(cache, compute, { name: 'find', ttl: '1m', beta: 1e12 })
      const query = { page: 1 }
      for (query.page = 1; query.page <= 2; query.page++) await find(query)
      query.page = 1
      const old = find(query)
      query.page = 3
      expect(await old).toBe('page 1')
      await expect.poll(() => compute).toHaveBeenCalledTimes(3)
      expect(compute).toHaveBeenLastCalledWith({ page: 1 })
    })

    it('computes nothing early with beta 0', async () => {
      const { cache, clock } = withClock(subject)
      drawLots(Number.MIN_VALUE)
      const compute = vi.fn(async (id: number) => id)
      const find = memoizeStampede(cache, compute, { name: 'find', ttl: '1m', beta: 0 })
      await find(1)
      clock.advance(59_999)
      for (let call = 0; call < 10; call++) await find(1)
      expect(compute).toHaveBeenCalledTimes(1)
      clock.advance(1)
      await find(1)
      expect(compute).toHaveBeenCalledTimes(2)
    })

    it('keeps the old result and emits error when the early computation fails', async () => {
      const { cache, clock } = withClock(subject)
      drawLots(0.5)
      const errors: Error[] = []
      cache.on('error', error => errors.push(error))
      const failure = new Error('the source is gone')
      const compute = vi.fn(async (_id: number) => {
        if (compute.mock.calls.length > 1) throw failure
        await new Promise(resolve => setTimeout(resolve, 2))
        return 'first'
      })
      const find = memoizeStampede(cache, compute, { name: 'find', ttl: '1m', beta: 1e12 })
      await find(1)
      clock.advance(59_000)
      expect(await find(1)).toBe('first')
      await expect.poll(() => errors).toContain(failure)
      expect(await cache.get(find.cacheKey(1))).toBe('first')
    })

    it('tags results, ignores arguments, hands on this', async () => {
      const cache = subject.make()
      const meter = {
        unit: 'km',
        read: memoizeStampede(
          cache,
          function read(this: { unit: string }, at: number, _why: string) {
            return at + this.unit
          },
          { ttl: '1m', tag: 'reads', ignore: [1] },
        ),
      }
      expect(await meter.read(1, 'a')).toBe('1km')
      expect(meter.read.cacheKey(1, 'a')).toEqual(['read', 1, null])
      expect(await cache.evict('reads')).toBe(1)
    })
  })
}

/** What Math.random answers from now on. */
function drawLots(number: number): void {
  const random = vi.spyOn(Math, 'random').mockReturnValue(number)
  onTestFinished(() => random.mockRestore())
}

/** A function whose calls take measurable time and end when they are told the result. */
function held() {
  const waiting: ((result: string) => void)[] = []
  const compute = vi.fn((_id: number) => new Promise<string>(resolve => waiting.push(resolve)))
  const finish = async (result: string): Promise<void> => {
    await expect.poll(() => waiting.length).toBeGreaterThan(0)
    await new Promise(resolve => setTimeout(resolve, 2))
    waiting.shift()?.(result)
  }
  return { compute, finish }
}
