import { Cache } from 'fanout-cache'
import { expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'

/** More than one batch holds, each of which is called again as soon as it is made: the queue never ends. */
const WRITERS = 2000

it('what waits for the writes before it is not held up by those that go on and on', async () => {
  const directory = temporaryDirectory()
  const cache = new Cache(directory)
  const other = new Cache(directory)
  onTestFinished(() => cache.close())
  await other.open()
  let stopped = false
  const writers = Array.from({ length: WRITERS }, async (_, key) => {
    while (!stopped) await cache.set(key, key)
  })
  await cache.set('first', 1)
  try {
    expect(await cache.volume()).toBeGreaterThan(0)
    expect((await cache.stats()).count).toBeGreaterThan(0)
    expect(await cache.check()).toEqual([])
    await cache.createTagIndex()
    await other.close()
  } finally {
    stopped = true
  }
  await Promise.all(writers)
  expect(await cache.count()).toBe(WRITERS + 1)
})
