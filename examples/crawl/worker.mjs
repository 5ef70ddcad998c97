import { setTimeout as delay } from 'node:timers/promises'
import { Cache } from 'fanout-cache'
import { crawl } from './crawl.mjs'
import { readPage } from './pages.mjs'

// Killed as a whole: the page comes back when its lease has ended.
process.once('disconnect', () => process.exit())
const cache = new Cache(process.argv[2], { evictionPolicy: 'none' })
await crawl(
  cache,
  async page => {
    process.send('page', () => {})
    // As polite as if the pages were on the servers of somebody else.
    await delay(5)
    return { ...readPage(page), by: process.pid }
  },
  { lease: '1s', pause: () => delay(20) },
)
await cache.close()
process.disconnect()
