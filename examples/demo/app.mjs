import { fileURLToPath } from 'node:url'
import express from 'express'
import { apiRoutes } from './api.mjs'
import { buttons, sameOriginOnly } from './buttons.mjs'
import { readCacheStatus, uncachedStatus } from './cache-status.mjs'
import { answerError } from './errors.mjs'
import { mediaFiles } from './media.mjs'
import { pageRoutes } from './page-routes.mjs'
import { searchCache } from './search.mjs'

const ASSETS = fileURLToPath(new URL('./public', import.meta.url))

/**
 * The pages, the API and the media of the demo.
 *
 * @param {{ cache: import('fanout-cache').FanoutCache, search: import('./search.mjs').PlaceSearch,
 *   counters: import('./counters.mjs').Counters, metrics: import('./metrics.mjs').Metrics, house: import('./worker.mjs').House, killOther: () => void }} parts
 */
export function createApp(parts) {
  const { cache, search, counters, metrics } = parts
  const app = express()
  app.disable('x-powered-by')
  app.use(aboutEachAnswer, sameOriginOnly)

  app.get('/api/search', counters.middleware, searchCache(cache), search.handle)
  app.get('/media/:name', counters.middleware, mediaFiles(cache))

  app.use(uncached)
  app.use('/assets', express.static(ASSETS, { cacheControl: false }))
  app.use(pageRoutes(parts), apiRoutes(parts), buttons(parts), metrics.routes())
  app.use((_request, response) => {
    response.status(404).type('text').send('There is nothing here.\n')
  })
  app.use(answerError)
  return app
}

/** What every answer says: who made it, how long that took, and how the cache stood to it. */
function aboutEachAnswer(_request, response, next) {
  const begun = performance.now()
  response.set({
    'Content-Security-Policy': "default-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    'Referrer-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
    'X-Worker': String(process.pid),
  })
  const { writeHead } = response
  response.writeHead = function (...head) {
    if (!response.headersSent) response.set('Server-Timing', timing(performance.now() - begun, response))
    return writeHead.apply(this, head)
  }
  next()
}

/** Browsers show it among the times of a request, and to scripts. */
function timing(milliseconds, response) {
  const { state } = readCacheStatus(String(response.get('Cache-Status') ?? ''))
  return `app;dur=${milliseconds.toFixed(2)}, cache;desc=${state}, worker;desc=${process.pid}`
}

/** Answers that are made anew each time say that the cache had no part in them. */
function uncached(request, response, next) {
  response.set({ 'Cache-Control': 'no-store', 'Cache-Status': uncachedStatus(request.method) })
  next()
}
