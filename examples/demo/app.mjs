import { fileURLToPath } from 'node:url'
import express from 'express'
import { apiRoutes } from './api.mjs'
import { listEntries } from './cache.mjs'
import { cacheStatus, uncachedStatus } from './cache-status.mjs'
import { documentText } from './html.mjs'
import { catalogue, Media, mediaKey } from './media.mjs'
import { page } from './page.mjs'
import { normalise } from './search.mjs'
import { sendStoredFile } from './send-file.mjs'

const ASSETS = fileURLToPath(new URL('./public', import.meta.url))
/** The files whose place on the disk the gallery shows. */
const SHOWN = ['ocean.webm', 'ocean.mp4', 'ocean.jpg', 'bricolage.woff2']

/**
 * The pages, the API and the media of the demo.
 *
 * @param {{ cache: import('fanout-cache').FanoutCache, search: import('./search.mjs').CitySearch,
 *   house: { pids: number[], restarts: number, started: number }, killOther: () => void }} parts
 */
export function createApp(parts) {
  const { cache, search, house } = parts
  const media = new Media(cache)
  const app = express()
  app.disable('x-powered-by')
  app.use(commonHeaders, sameSiteOnly)
  app.use('/assets', express.static(ASSETS))

  app.get('/', async (request, response) => {
    const query = normalise(String(request.query.q ?? ''))
    const outcome = query ? await search.find(query) : undefined
    if (outcome) response.set('Cache-Status', cacheStatus(outcome))
    const [entries, stats, files] = await Promise.all([listEntries(cache), cache.stats(), shownFiles(cache)])
    const origin = `${request.protocol}://${request.get('host')}`
    const view = { query, outcome, entries, stats, files, house, pid: process.pid, directory: cache.directory, origin }
    response.type('html').send(documentText(page({ ...view, done: request.query })))
  })

  app.get('/media/:name', async (request, response, next) => {
    const { name } = request.params
    if (!catalogue.has(name)) return next()
    const { file, ...outcome } = await media.open(name)
    response.set('Cache-Status', cacheStatus(outcome))
    if (file) return await sendStoredFile(request, response, file)
    // The cache is full or gone: the file is served all the same.
    response.sendFile(catalogue.get(name), { dotfiles: 'allow' })
  })

  app.use(apiRoutes(parts))
  app.use((_request, response) => {
    response.status(404).type('text').send('There is nothing here.\n')
  })
  app.use(answerError)
  return app
}

async function shownFiles(cache) {
  return await Promise.all(SHOWN.map(async name => ({ name, info: await cache.info(mediaKey(name)) })))
}

/** What every answer says: who made it, how long that took, and that the cache had no part in it until it has. */
function commonHeaders(request, response, next) {
  const begun = performance.now()
  response.set({
    'Cache-Control': 'no-store',
    'Cache-Status': uncachedStatus(request.method),
    'Content-Security-Policy': "default-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    'Referrer-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
    'X-Worker': String(process.pid),
  })
  const { writeHead } = response
  response.writeHead = function (...head) {
    if (!response.headersSent) response.set('Server-Timing', `app;dur=${(performance.now() - begun).toFixed(2)}`)
    return writeHead.apply(this, head)
  }
  next()
}

/** Other sites may not press the buttons of this one. */
function sameSiteOnly(request, response, next) {
  const site = request.get('Sec-Fetch-Site') ?? 'none'
  if (request.method !== 'POST' || site === 'same-origin' || site === 'none') return next()
  response.status(403).type('text').send('This must come from the page itself.\n')
}

/** Express knows an error handler by its four parameters. */
function answerError(error, _request, response, next) {
  if (response.headersSent) return next(error)
  const status = error.status >= 400 && error.status < 500 ? error.status : 500
  if (status === 500) console.error(error)
  response.status(status).json({ error: status === 500 ? 'this failed; see the output of the demo' : error.message })
}
