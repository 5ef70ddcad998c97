import { expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { failingCallsAvailable, slowDown } from './support/failing-calls.js'

const WRITER = new URL('./fixtures/log-writer.mjs', import.meta.url)
/** The length from which on writes wait for the thread that copies, and half as much of writes that come before. */
const MOST = 6000

it.skipIf(!failingCallsAvailable)('the log stays short on a disk that takes long to sync', async () => {
  const order = { directory: temporaryDirectory(), writes: 10_000 }
  const [pages] = await new FixtureProcess(WRITER, order, slowDown({ calls: 'sync', path: 'cache.db' })).done()
  expect(Number(pages)).toBeGreaterThan(1000)
  expect(Number(pages)).toBeLessThan(MOST)
})

it.skipIf(!failingCallsAvailable)('the log of large verbs stays short on such a disk', async () => {
  const order = { directory: temporaryDirectory(), writes: 4000, entries: 60_000 }
  const [pages] = await new FixtureProcess(WRITER, order, slowDown({ calls: 'sync', path: 'cache.db' })).done()
  expect(Number(pages)).toBeGreaterThan(1000)
  expect(Number(pages)).toBeLessThan(MOST)
})
