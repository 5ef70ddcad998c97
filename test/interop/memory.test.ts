import type { MemoryOptions } from 'fanout-cache'
import { expect, it } from 'vitest'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { expectClean, KINDS, openInPython, withPython } from './support.js'

const KEYS = ['a', 'b', 'c', 'new', 1, 'list']
const MODES: readonly MemoryOptions[] = [{}, { mode: 'frozen' }]

/** What Python does, and what `get` of KEYS answers after it. */
const STEPS = [
  ['set', `cache.set('a', 'changed')`, ['changed', 2, 3, undefined, 'one', [1, 2]]],
  ['set of the same value again', `cache.set('a', 'changed')`, ['changed', 2, 3, undefined, 'one', [1, 2]]],
  ['set of a file', `cache.set('a', 'F' * 50000)`, ['F'.repeat(50_000), 2, 3, undefined, 'one', [1, 2]]],
  [
    'set of a pickle',
    `cache.set('list', [1, {'x': None}])`,
    ['F'.repeat(50_000), 2, 3, undefined, 'one', [1, { x: null }]],
  ],
  [
    'add of a missing key',
    `cache.add('new', b'bytes')`,
    ['F'.repeat(50_000), 2, 3, Buffer.from('bytes'), 'one', [1, { x: null }]],
  ],
  ['incr', `cache.incr('b', 40)`, ['F'.repeat(50_000), 42, 3, Buffer.from('bytes'), 'one', [1, { x: null }]]],
  ['delete', `cache.delete('a')`, [undefined, 42, 3, Buffer.from('bytes'), 'one', [1, { x: null }]]],
  ['pop', `cache.pop('new')`, [undefined, 42, 3, undefined, 'one', [1, { x: null }]]],
  ['touch', `cache.touch(1, expire=-1)`, [undefined, 42, 3, undefined, undefined, [1, { x: null }]]],
  [
    'a transaction',
    `with cache.transact():\n    cache.set(1, 'again')\n    cache.set('a', 1.5)`,
    [1.5, 42, 3, undefined, 'again', [1, { x: null }]],
  ],
  ['delete and set', `cache.delete('c')\ncache.set('c', 4)`, [1.5, 42, 4, undefined, 'again', [1, { x: null }]]],
  ['evict', `cache.evict('red')`, [1.5, undefined, 4, undefined, 'again', [1, { x: null }]]],
  ['clear', `cache.clear()`, KEYS.map(() => undefined)],
] as const

withPython.each(KINDS)('memory in front of a $kind to which Python writes', ({ open, inPython }) => {
  it.each(MODES)('shows with %j in the next turn what Python has done', async memory => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory, { memory })
    await cache.setMany([
      ['a', 1],
      ['b', 2, { tag: 'red' }],
      ['c', 3],
      [1, 'one'],
    ])
    await openInPython(python, directory, inPython)
    await python.call(`cache.set('list', [1, 2])`)
    const before = await cache.stats()
    for (const [what, body, expected] of STEPS) {
      // Twice, so that missing keys are remembered as well.
      for (let again = 0; again < 3; again++) await cache.getMany(KEYS)
      await python.call(body)
      // The answer may be faster than the turn of the loop in which others are not asked again.
      await new Promise(resolve => setImmediate(resolve))
      expect(await cache.getMany(KEYS), what).toEqual(expected)
      expect(await Promise.all(KEYS.map(key => cache.has(key))), what).toEqual(expected.map(one => one !== undefined))
    }
    const { memory: after } = await cache.stats()
    expect(after?.hits).toBeGreaterThan((before.memory?.hits ?? 0) + STEPS.length * KEYS.length)
    await expectClean(cache, python)
  })
})
