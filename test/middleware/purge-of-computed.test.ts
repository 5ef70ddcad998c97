import { Cache, FanoutCache } from 'fanout-cache'
import { purge } from 'fanout-cache/express'
import { expect, it, onTestFinished } from 'vitest'
import { Gate } from '../helpers/gate.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

it.each([
  ['a Cache, by its tag', Cache, { tag: 'red' }],
  ['a Cache, by a further tag', Cache, { tags: ['blue', 'red'] }],
  ['a FanoutCache, by a tag that the function gives', FanoutCache, {}],
] as const)('a purge by tag reaches a value of getOrSet that is being computed in %s', async (_, Kind, options) => {
  const cache = new Kind(temporaryDirectory())
  onTestFinished(() => cache.close())
  const begun = new Gate()
  const gate = new Gate()
  const old = cache.getOrSet(
    ['a', 1],
    async ({ tag }) => {
      if (!('tag' in options || 'tags' in options)) tag('red')
      begun.open()
      await gate.opened
      return 'old'
    },
    options,
  )
  await begun.opened
  expect(await purge(cache, { tag: 'red' })).toBe(0)
  gate.open()
  expect(await old).toBe('old')
  expect(await cache.getOrSet(['a', 1], () => 'new', options)).toBe('new')
  expect(await cache.get(['a', 1])).toBe('new')
})
