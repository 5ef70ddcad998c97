import { type Cache, type DiskCache, type FanoutCache, jsonCodec, type Key, memoize } from 'fanout-cache'
import { expect, it } from 'vitest'
import { type Python, startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { tuple } from '../helpers/wire.js'
import { expectClean, KINDS, openCache, openInPython, openShared, withPython } from './support.js'

/** Arguments by position as JavaScript has them, and as Python does where that is not the same. */
const CALLS: readonly (readonly [ours: Key[], theirs?: unknown[]])[] = [
  [[]],
  [[1, 2]],
  [['one', 'two words', 'äöü €']],
  [[0, -1, 255, 256, 65_536, 2 ** 31, -(2 ** 40), Number.MAX_SAFE_INTEGER]],
  [[2n ** 63n, -(2n ** 70n)]],
  [[0.5, -1e300, Number.POSITIVE_INFINITY]],
  [[true, false, null]],
  [[null]],
  [[Buffer.from([0, 1, 255])]],
  [
    [[1, [2, 'x']], 'y'],
    [tuple(1, tuple(2, 'x')), 'y'],
  ],
  [[{ page: 1, size: 20 }]],
]

const RESULTS = ['text', 7, 2n ** 62n, 1.5, true, null, Buffer.from([1, 2, 3]), 'x'.repeat(40_000)]

/** A function of Python that was memoized, and counts its calls. */
async function memoizeInPython(python: Python, name: string): Promise<void> {
  await python.call(
    `
    calls = []
    @cache.memoize(name=name)
    def answer(*args):
        calls.append(args)
        return 'python %d' % len(args)
    keep(answer=answer, calls=calls)
    `,
    { name },
  )
}

function memoizeHere(
  cache: DiskCache,
  name: string,
): ReturnType<typeof memoize<unknown, Key[], string>> & { calls: number } {
  const counted = memoize(
    cache,
    (...args: Key[]) => {
      counted.calls++
      return `node ${args.length}`
    },
    { name },
  ) as ReturnType<typeof memoize<unknown, Key[], string>> & { calls: number }
  counted.calls = 0
  return counted
}

withPython.each(KINDS)('memoized functions of one name in a $kind', ({ open, inPython }) => {
  const shared = () => openShared<Cache | FanoutCache>(open, inPython)

  it('answer in Node what Python has computed', async () => {
    const { cache, python } = await shared()
    await memoizeInPython(python, 'answer')
    const answer = memoizeHere(cache, 'answer')
    for (const [ours, theirs = ours] of CALLS) {
      await python.call('answer(*args)', { args: theirs })
      expect(await answer(...ours)).toBe(`python ${ours.length}`)
    }
    expect(answer.calls).toBe(0)
    await expectClean(cache, python)
  })

  it('answer in Python what Node has computed', async () => {
    const { cache, python } = await shared()
    await memoizeInPython(python, 'answer')
    const answer = memoizeHere(cache, 'answer')
    for (const [ours, theirs = ours] of CALLS) {
      await answer(...ours)
      expect(await python.call('answer(*args)', { args: theirs })).toBe(`node ${ours.length}`)
    }
    expect(await python.call('len(calls)')).toBe(0)
    expect(await python.call('len(cache)')).toBe(CALLS.length)
    await expectClean(cache, python)
  })

  it('have results that both read', async () => {
    const { cache, python } = await shared()
    await python.call(`keep(get=cache.memoize(name='get')(lambda at: 'nothing was stored'))`)
    const get = memoize(cache, (at: number) => RESULTS[at], { name: 'get' })
    for (const [at, result] of RESULTS.entries()) {
      await get(at)
      expect(await python.call('get(at)', { at })).toEqual(result)
    }
  })

  it('compute alone what the other cannot have meant', async () => {
    const { cache, python } = await shared()
    await python.call(`keep(f=cache.memoize(name='f')(lambda x=0, y=0: 'python'))`)
    await python.call(`f(x=1), f(1, y=2)`)
    await python.call(`keep(g=cache.memoize(name='f', typed=True)(lambda x=0: 'typed python'))`)
    await python.call('g(1)')
    const f = memoize(cache, (..._args: unknown[]) => 'node', { name: 'f' })
    const typed = memoize(cache, (..._args: unknown[]) => 'node', { name: 'f', typed: true })
    expect(await f({ x: 1 })).toBe('node')
    expect(await f(1, { y: 2 })).toBe('node')
    expect(await f(undefined, 1)).toBe('node')
    expect(await typed(1)).toBe('node')
    expect(await python.call('f(None, 1)')).toBe('python')
  })
})

withPython('memoized functions of one name under JSONDisk', () => {
  it('share their results', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = openCache(directory, { codec: jsonCodec })
    await cache.open()
    await openInPython(python, directory, 'Cache(directory, disk=JSONDisk)')
    await memoizeInPython(python, 'answer')
    const answer = memoizeHere(cache, 'answer')
    await python.call(`answer(1, 'two', None)`)
    expect(await answer(1, 'two', null)).toBe('python 3')
    await answer(true, [1, 2], { page: 1 })
    expect(await python.call(`answer(True, [1, 2], {'page': 1})`)).toBe('node 3')
    expect(answer.calls).toBe(1)
  })
})
