import { once } from 'node:events'
import { createServer } from 'node:http'
import { createApp } from './app.mjs'
import { openCache } from './cache.mjs'
import { Counters } from './counters.mjs'
import { Metrics } from './metrics.mjs'
import { PlaceSearch } from './search.mjs'

/** What a worker knows of the demo as a whole: the primary tells it. */
export class House {
  pids = [process.pid]
  restarts = 0
  started = Number(process.env.DEMO_STARTED) || Date.now()
  /** Where it can be asked. */
  address = { host: '127.0.0.1', port: 0 }
  /** What each worker has answered, by its pid; and as `ended` what those did that are no more. */
  counters = {}

  hear({ pids, restarts, counters }) {
    Object.assign(this, { pids, restarts, counters })
  }

  /** The counters of all workers; its own a worker knows best. */
  countersOf(pid, own) {
    const known = this.pids.map(one => [one, one === pid ? own : (this.counters[one] ?? {})])
    const { ended } = this.counters
    return { ...Object.fromEntries(known), ...(ended && { ended }) }
  }
}

/** One of the processes that answer. */
export async function startWorker() {
  const cache = openCache()
  const search = new PlaceSearch()
  const house = new House()
  const counters = new Counters(counted => process.send?.({ type: 'counted', counted }, () => {}))
  const metrics = new Metrics(cache)
  const server = createServer(createApp({ cache, search, house, counters, metrics, killOther }))

  process.on('message', message => {
    if (message?.type === 'peers') house.hear(message)
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
  house.address = reachable(server.address())
}

/** All addresses of a machine are none that can be asked. */
function reachable({ address, port }) {
  return { host: { '0.0.0.0': '127.0.0.1', '::': '::1' }[address] ?? address, port }
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
