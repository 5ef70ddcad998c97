import { join } from 'node:path'
import { Cache, FanoutCache } from 'fanout-cache'
import { expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const SCRIPT = new URL('./fixtures/opener.mjs', import.meta.url)
const PROCESSES = 50

it('opens in fifty processes at once, each of which writes a key', async () => {
  const directory = temporaryDirectory()
  const keys = Array.from({ length: PROCESSES }, (_, index) => `key-${index}`)
  const children = keys.map(key => new FixtureProcess(SCRIPT, { directory, key }))
  await Promise.all(children.map(child => child.line('ready')))
  for (const child of children) child.send('go')
  const results = await Promise.all(children.map(child => child.done()))
  const expected = keys.map(key => ['ready', `result ${JSON.stringify([true, true, key, key])}`, 'closed'])
  expect(results).toEqual(expected)

  for (const cache of [new Cache(join(directory, 'cache')), new FanoutCache(join(directory, 'fanout'))]) {
    onTestFinished(() => cache.close())
    expect(await cache.getMany(keys)).toEqual(keys)
    expect(await cache.count()).toBe(PROCESSES)
    expect(await cache.check()).toEqual([])
  }
})
