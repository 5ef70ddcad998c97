import { Router } from 'express'
import { listEntries } from './cache.mjs'

/**
 * What is cached, and how well: JSON for programs.
 *
 * @param {Parameters<import('./app.mjs').createApp>[0]} parts
 */
export function apiRoutes({ cache, house, counters }) {
  const routes = Router()

  routes.get('/api/entries', async (request, response) => {
    const { tag, prefix } = request.query
    const listing = { tag: tag && String(tag), prefix: prefix && String(prefix) }
    response.json({ worker: process.pid, entries: await listEntries(cache, listing) })
  })

  routes.get('/api/stats', async (_request, response) => {
    const { pids: workers, restarts } = house
    const answers = house.countersOf(process.pid, counters.read())
    response.json({ worker: process.pid, workers, restarts, answers, ...(await cache.stats()) })
  })
  return routes
}
