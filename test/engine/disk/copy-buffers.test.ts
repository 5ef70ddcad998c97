import { Cache, Deque, FanoutCache } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { copyBytes, giveBack } from '../../../src/engine/disk/copy-buffers.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

/** Lengths around those whose memory is used again, in an order in which larger ones follow smaller ones. */
const LENGTHS = [65_535, 65_536, 70_000, 131_072, 131_073, 1_000_000, 2 ** 20, 200_000, 66_000, 4_200_000, 90_000]

const bytesAt = (at: number): Buffer => Buffer.alloc(LENGTHS[at % LENGTHS.length] as number, `${at} bytes `)
const textAt = (at: number): string => `${at} täxt `.repeat((LENGTHS[at % LENGTHS.length] as number) / 10)
const objectAt = (at: number): object => ({ at, text: textAt(at) })

const KINDS = [bytesAt, textAt, objectAt] as const
const valueAt = (at: number): unknown => KINDS[at % KINDS.length]?.(at)
const COUNT = 99

describe('large values that are stored at the same time', () => {
  it('are those of their calls, whatever memory was used for them before', async () => {
    const cache = new FanoutCache(temporaryDirectory(), { shards: 2, sizeLimit: 2 ** 40, timeout: 60_000 })
    onTestFinished(() => cache.close())
    for (let round = 0; round < 3; round++) {
      const keys = Array.from({ length: COUNT }, (_, at) => at)
      await Promise.all(
        keys.map(async at => {
          const value = valueAt(at + round)
          const stored =
            at % 7 === 0 ? cache.setMany([[at, value]]) : cache.set(at, value, at % 2 === 0 ? { file: true } : {})
          // The caller goes on with its buffer at once.
          if (Buffer.isBuffer(value)) value.fill('changed')
          await stored
        }),
      )
      for (const at of keys) expect(await cache.get(at)).toEqual(valueAt(at + round))
    }
    expect(await cache.check()).toEqual([])
  })

  it('are those of their calls in transactions and collections too', async () => {
    const cache = new Cache(temporaryDirectory(), { sizeLimit: 2 ** 40 })
    const deque = new Deque<unknown>(temporaryDirectory())
    onTestFinished(async () => {
      await Promise.all([cache.close(), deque.close()])
    })
    const places = Array.from({ length: 30 }, (_, at) => at)
    await Promise.all(
      places.map(async at => {
        await cache.transact(tx => tx.set(at, valueAt(at)))
        await cache.push(valueAt(at + 1))
      }),
    )
    await deque.extend(places.map(at => valueAt(at)))
    for (const at of places) expect(await cache.get(at)).toEqual(valueAt(at))
    const pushed = await Promise.all(places.map(async () => (await cache.pull())?.value))
    const texts = (values: readonly unknown[]): string[] => values.map(value => JSON.stringify(value)).sort()
    expect(texts(pushed)).toEqual(texts(places.map(at => valueAt(at + 1))))
    for (const at of places) expect(await deque.popLeft()).toEqual(valueAt(at))
  })

  it('that nobody stores at last leave those of others alone', async () => {
    const cache = new Cache(temporaryDirectory(), { sizeLimit: 2 ** 24 })
    onTestFinished(() => cache.close())
    const refused = () => cache.set('no', Buffer.alloc(2 ** 24 + 1)).catch(error => error.code)
    const outcomes = await Promise.all([0, 1, 2, 3].flatMap(at => [cache.add('one', bytesAt(at + 5)), refused()]))
    expect(outcomes.filter(outcome => outcome === true)).toHaveLength(1)
    expect(await cache.get('one')).toEqual(bytesAt(5))
  })
})

describe('memory for copies', () => {
  it('is used again by one at a time, however often it was given back', () => {
    const copy = copyBytes(Buffer.alloc(100_000, 'a'))
    for (let round = 0; round < 2; round++) giveBack(copy)
    const [one, other] = [copyBytes(Buffer.alloc(100_000, 'b')), copyBytes(Buffer.alloc(100_000, 'c'))]
    expect(one.buffer).toBe(copy.buffer)
    expect(other.buffer).not.toBe(copy.buffer)
  })

  it('is never that of others', () => {
    const own = Buffer.alloc(100_000, 'own')
    giveBack(own)
    expect(copyBytes(Buffer.alloc(100_000)).buffer).not.toBe(own.buffer)
  })
})
