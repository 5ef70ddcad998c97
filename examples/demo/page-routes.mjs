import { Router } from 'express'
import { ask } from './ask.mjs'
import { listEntries } from './cache.mjs'
import { documentText } from './html.mjs'
import { catalogue, mediaKey } from './media.mjs'
import { said } from './notes.mjs'
import { page } from './page.mjs'
import { live } from './page-cache.mjs'
import { normalise, searchPath } from './search.mjs'

/** The files whose place on the disk the gallery shows. */
const SHOWN = ['ocean.webm', 'ocean.mp4', 'ocean.jpg', 'bricolage.woff2'].filter(name => catalogue.has(name))

/**
 * The page, and that part of it which it fetches again and again.
 *
 * @param {Parameters<import('./app.mjs').createApp>[0]} parts
 */
export function pageRoutes({ cache, house, counters }) {
  const routes = Router()

  routes.get('/', async (request, response) => {
    const query = normalise(String(request.query.q ?? ''))
    const outcome = query ? await ask(house.address, searchPath(query)) : undefined
    // The page is no answer of the cache, but what it shows is.
    if (outcome) response.set('Cache-Status', outcome.field)
    const { done, n } = request.query
    response.type('html').send(
      documentText(
        page({
          query,
          outcome,
          note: said(done, Number.parseInt(n, 10) || 0),
          files: await shownFiles(cache),
          directory: cache.directory,
          origin: `${request.protocol}://${request.get('host')}`,
          house,
          live: live(await state(query)),
        }),
      ),
    )
  })

  routes.get('/live', async (request, response) => {
    const query = normalise(String(request.query.q ?? ''))
    response.type('html').send(live(await state(query)).text)
  })

  async function state(query) {
    const [entries, stats] = await Promise.all([listEntries(cache), cache.stats()])
    const answers = house.countersOf(process.pid, counters.read())
    return { query, entries, stats, answers, house, pid: process.pid }
  }
  return routes
}

async function shownFiles(cache) {
  return await Promise.all(SHOWN.map(async name => ({ name, info: await cache.info(mediaKey(name)) })))
}
