import express, { Router } from 'express'
import { listEntries } from './cache.mjs'
import { cacheStatus } from './cache-status.mjs'
import { normalise } from './search.mjs'

/**
 * JSON for programs, and the buttons of the page: those answer JSON to who wants it and go back to the page else.
 *
 * @param {Parameters<import('./app.mjs').createApp>[0]} parts
 */
export function apiRoutes({ cache, search, house, killOther }) {
  const routes = Router()

  routes.get('/api/search', async (request, response) => {
    const query = normalise(String(request.query.q ?? ''))
    if (!query) return response.status(400).json({ error: 'ask with ?q=…' })
    const { answer, ...outcome } = await search.find(query)
    response.set('Cache-Status', cacheStatus(outcome))
    response.json({ cache: outcome.hit ? 'hit' : 'miss', ms: rounded(outcome.ms), worker: process.pid, ...answer })
  })

  routes.get('/api/entries', async (request, response) => {
    const { tag, prefix } = request.query
    const listing = { tag: tag && String(tag), prefix: prefix && String(prefix) }
    response.json({ worker: process.pid, entries: await listEntries(cache, listing) })
  })

  routes.get('/api/stats', async (_request, response) => {
    response.json({ worker: process.pid, workers: house.pids, restarts: house.restarts, ...(await cache.stats()) })
  })

  routes.use(express.urlencoded({ extended: false }), express.json())
  routes.post('/evict', async (request, response) => {
    const tag = String(request.body?.tag ?? '')
    if (!tag) return response.status(400).json({ error: 'name a tag' })
    finish(request, response, 'evicted', await cache.evict(tag))
  })
  routes.post('/delete', async (request, response) => {
    finish(request, response, 'deleted', Number(await cache.delete(String(request.body?.key ?? ''))))
  })
  routes.post('/clear', async (request, response) => {
    finish(request, response, 'cleared', await cache.clear())
  })
  routes.post('/kill', (request, response) => {
    killOther()
    finish(request, response, 'killed', house.pids.length > 1 ? 1 : 0)
  })
  return routes
}

/** JSON, or for a browser the page again: by 303, so that reloading it does not press the button again. */
function finish(request, response, done, removed) {
  if (request.accepts(['json', 'html']) === 'json') return response.json({ [done]: removed, worker: process.pid })
  const query = normalise(String(request.body?.q ?? ''))
  response.redirect(303, `/?${new URLSearchParams({ ...(query && { q: query }), done, n: String(removed) })}`)
}

function rounded(milliseconds) {
  return Math.round(milliseconds * 1000) / 1000
}
