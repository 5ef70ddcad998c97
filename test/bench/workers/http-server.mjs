import { createServer } from 'node:http'
import { values } from '../harness/data.mjs'
import { loadPackage } from '../harness/project.mjs'

/**
 * A server which does one awaited `set` per request. What it commits the parent reads from SQLite's own
 * counter; any message is answered with the milliseconds of processor taken so far.
 */
const { directory, kind } = JSON.parse(process.argv[2])
const content = values(1_000)
let requests = 0
const set = await openSet()

const server = createServer(async (request, response) => {
  const stored = await set(request.url, content[requests++ % content.length])
  response.writeHead(stored ? 200 : 500, { 'Content-Length': 2 })
  response.end('ok')
})
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send({ cpu: (user + system) / 1e3 })
})
// The clients wait while other servers have their turn.
server.keepAliveTimeout = 0
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
process.on('disconnect', () => process.exit())

/** `none` answers without a cache: what the rest of the server costs. */
async function openSet() {
  if (kind === 'none') return async () => true
  const project = await loadPackage()
  const cache = new project[kind](directory)
  await cache.open()
  return (key, value) => cache.set(key, value)
}
