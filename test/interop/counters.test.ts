import type { Cache, FanoutCache } from 'fanout-cache'
import { expect, it } from 'vitest'
import { expectClean, KINDS, openShared, withPython } from './support.js'

const MOST = 2n ** 63n - 1n
const LEAST = -(2n ** 63n)

withPython.each(KINDS)('counters in a $kind that Node and Python share', ({ open, inPython }) => {
  const shared = () => openShared<Cache | FanoutCache>(open, inPython)

  it('are counted by both', async () => {
    const { cache, python } = await shared()
    for (let index = 1; index <= 20; index += 2) {
      expect(await cache.incr('counter')).toBe(index)
      expect(await python.call(`cache.incr('counter')`)).toBe(index + 1)
    }
    expect(await cache.decr('counter', 25)).toBe(-5)
    expect(await python.call(`cache.decr('counter', 3)`)).toBe(-8)
    expect(await python.call(`type(cache['counter']).__name__`)).toBe('int')
    expect(await cache.get('counter')).toBe(-8)
    await expectClean(cache, python)
  })

  it('begin with the default of the side that begins them', async () => {
    const { cache, python } = await shared()
    expect(await cache.incr('node', 2, { default: 10, tag: 'counters' })).toBe(12)
    expect(await python.call(`cache.incr('node', 1, default=100)`)).toBe(13)
    expect(await python.call(`cache.get('node', tag=True)`)).toEqual([13, 'counters'])
    expect(await python.call(`cache.incr('python', 2, default=100)`)).toBe(102)
    expect(await cache.incr('python', 1, { default: 5 })).toBe(103)
    expect(await cache.incr('none', 1, { default: null })).toBe(undefined)
    expect(await python.call(`'none' in cache`)).toBe(false)
  })

  it('reach the borders of 64 bits and do not pass them', async () => {
    const { cache, python } = await shared()
    await cache.set('most', MOST - 2n)
    expect(await python.call(`cache.incr('most')`)).toBe(MOST - 1n)
    expect(await cache.incr('most', 1n)).toBe(MOST)
    await expect(cache.incr('most', 1n)).rejects.toThrow(RangeError)
    await expect(python.call(`cache.incr('most')`)).rejects.toMatchObject({ type: 'OverflowError' })
    expect(await cache.get('most')).toBe(MOST)
    await python.call(`cache.set('least', value)`, { value: LEAST + 1n })
    expect(await cache.decr('least', 1n)).toBe(LEAST)
    await expect(cache.decr('least', 1n)).rejects.toThrow(RangeError)
    expect(await python.call(`cache['least']`)).toBe(LEAST)
    await expectClean(cache, python)
  })

  it('are exact beyond the safe integers with bigint, and refuse a number there', async () => {
    const { cache, python } = await shared()
    await python.call(`cache.set('big', 2 ** 53)`)
    expect(await cache.incr('big', 1n)).toBe(2n ** 53n + 1n)
    expect(await python.call(`cache['big'] == 2 ** 53 + 1 and type(cache['big']) is int`)).toBe(true)
    await expect(cache.incr('big', 1)).rejects.toThrow(RangeError)
    expect(await cache.get('big')).toBe(2n ** 53n + 1n)
    expect(await cache.decr('big', 2n)).toBe(2n ** 53n - 1n)
    expect(await cache.incr('big', 0)).toBe(2 ** 53 - 1)
  })

  it('may be floats', async () => {
    const { cache, python } = await shared()
    await cache.set('float', 1.5)
    expect(await python.call(`cache.incr('float')`)).toBe(2.5)
    expect(await cache.incr('float', 0.25)).toBe(2.75)
    await python.call(`cache.set('whole', 2.0)`)
    expect(await cache.incr('whole')).toBe(3)
    expect(await python.call(`cache.incr('whole', 0.5)`)).toBe(3.5)
  })

  it('are not what holds anything else, on either side', async () => {
    const { cache, python } = await shared()
    await python.call(`[cache.set(key, value) for key, value in (('text', '1'), ('flag', True), ('list', [1]))]`)
    for (const key of ['text', 'flag', 'list']) await expect(cache.incr(key)).rejects.toThrow(TypeError)
    expect(await python.call(`[cache['text'], cache['flag'], cache['list']]`)).toEqual(['1', true, [1]])
    await cache.setMany([
      ['text', '1'],
      ['flag', true],
      ['null', null],
      ['file', 'x'.repeat(40_000)],
    ])
    for (const key of ['text', 'flag', 'null', 'file']) {
      await expect(python.call('cache.incr(key)', { key })).rejects.toMatchObject({ type: 'TypeError' })
    }
    await expectClean(cache, python)
  })
})
