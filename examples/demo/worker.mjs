import { once } from 'node:events'
import { createServer } from 'node:http'
import { createApp } from './app.mjs'
import { openCache } from './cache.mjs'
import { CitySearch } from './search.mjs'

/** One of the processes that answer. What it knows of the others the primary tells it. */
export async function startWorker() {
  const cache = openCache()
  const search = new CitySearch(cache)
  const house = { pids: [process.pid], restarts: 0, started: Number(process.env.DEMO_STARTED) || Date.now() }
  const server = createServer(createApp({ cache, search, house, killOther }))

  process.on('message', message => {
    if (message?.type === 'peers') Object.assign(house, { pids: message.pids, restarts: message.restarts })
    if (message?.type === 'stop') stop(server, search, cache)
  })
  // Ctrl-C reaches every process of the terminal; the primary decides what comes of it.
  for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => {})
  process.once('SIGTERM', () => stop(server, search, cache))

  try {
    await cache.open()
  } catch (error) {
    console.error(`the cache cannot be opened: ${error.message}`)
    process.exit(1)
  }
  server.listen(Number(process.env.PORT), process.env.HOST)
  await once(server, 'listening')
}

function killOther() {
  process.send?.({ type: 'kill-other' })
}

async function stop(server, search, cache) {
  server.close()
  server.closeIdleConnections()
  await once(server, 'close')
  await search.close()
  await cache.close()
  process.exit(0)
}
