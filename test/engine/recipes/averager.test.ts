import { Averager, Cache, FanoutCache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { everySubject } from '../../contract/subjects.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { expectMisuse } from '../misuse.js'

for (const subject of everySubject()) {
  describe(`an Averager on a ${subject.name}`, () => {
    it('has the mean of what was added, by get and by pop, and begins anew', async () => {
      const latency = new Averager(subject.make(), 'latency')
      for (let value = 0; value < 10; value++) expect(await latency.add(value)).toBe(true)
      expect(await latency.get()).toBe(4.5)
      expect(await latency.pop()).toBe(4.5)
      expect(await latency.get()).toBeUndefined()
      expect(await latency.pop()).toBeUndefined()
      await latency.add(9.5)
      expect(await latency.get()).toBe(9.5)
    })

    it('loses nothing of what is added at the same time', async () => {
      const cache = subject.make()
      const twins = [new Averager(cache, ['mean', 1]), new Averager(cache, ['mean', 1])] as const
      await Promise.all(Array.from({ length: 200 }, (_, at) => twins[at % 2 === 0 ? 0 : 1].add(at)))
      expect(await twins[0].get()).toBe(99.5)
      expect(await cache.count()).toBe(1)
    })

    it('never expires, whatever the defaultTtl', async () => {
      let now = Date.UTC(2026, 0, 1)
      const cache = subject.make({ defaultTtl: '1s', clock: { now: () => now } })
      const latency = new Averager(cache, 'latency')
      await latency.add(-2)
      now += 3_600_000
      await latency.add(4)
      expect(await latency.get()).toBe(1)
    })

    it('refuses what is no finite number, and a sum that would be none', async () => {
      const latency = new Averager(subject.make(), 'latency')
      await latency.add(1)
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        await expectMisuse(() => latency.add(value), RangeError, /Averager: value/)
      }
      for (const value of ['1', 1n, null, undefined, {}]) {
        await expectMisuse(() => latency.add(value as never), TypeError, /Averager: value/)
      }
      await latency.add(Number.MAX_VALUE)
      await expectMisuse(() => latency.add(Number.MAX_VALUE), RangeError, /Averager: the sum/)
      expect(await latency.get()).toBe(Number.MAX_VALUE / 2)
    })

    it('leaves alone what is no average', async () => {
      const cache = subject.make()
      for (const value of ['text', 7, [1, 2, 3], ['1', 2], [7, -1], [10n ** 400n, 1], null, { total: 1 }]) {
        await cache.set('key', value)
        const average = new Averager(cache, 'key')
        await expectMisuse(() => average.add(1), TypeError, /Averager: something else/)
        await expectMisuse(() => average.get(), TypeError, /Averager: something else/)
        await expectMisuse(() => average.pop(), TypeError, /Averager: something else/)
        expect(await cache.get('key')).toEqual(value)
      }
    })
  })
}

describe('an Averager', () => {
  it('is refused what is no cache or no key', () => {
    expect(() => new Averager(new Map() as never, 'key')).toThrow(/new Averager\(cache, key\)/)
    expect(() => new Averager(undefined as never, 'key')).toThrow(TypeError)
    expect(() => new Averager(new Cache(temporaryDirectory()), Number.NaN)).toThrow(TypeError)
  })

  it('lies in one shard of a FanoutCache for all who have the directory open', async () => {
    const directory = temporaryDirectory()
    await using one = new FanoutCache(directory, { shards: 4, timeout: '1m' })
    await using other = new FanoutCache(directory)
    await new Averager(one, 'key').add(1)
    await new Averager(other, 'key').add(2)
    expect(await new Averager({ cache: one }, 'key').get()).toBe(1.5)
  })
})
