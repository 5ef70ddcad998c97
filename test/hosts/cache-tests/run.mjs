// Runs the public tests of HTTP caches against the middleware above a gateway, and prints what came of each as JSON.
// Its argument: { express: 'express' | 'express4', options, directory, only?: ids }

import { once } from 'node:events'
import { createServer } from 'node:http'
import { FanoutCache } from 'fanout-cache'
import { responseCache } from 'fanout-cache/express'
import { setBaseUrl, setFetch, setUseBrowserCache } from 'http-cache-tests/client/config.mjs'
import { makeCacheTest, testResults } from 'http-cache-tests/client/test.mjs'
import config from 'http-cache-tests/server/handle-config.mjs'
import state from 'http-cache-tests/server/handle-state.mjs'
import test from 'http-cache-tests/server/handle-test.mjs'
import suites from 'http-cache-tests/tests/index.mjs'
import surrogate from 'http-cache-tests/tests/surrogate-control.mjs'
import fetch from 'node-fetch'
import { gatewayTo } from './gateway.mjs'

/** Tests that begin at once: nearly all that they do is to wait, but all of them together would keep each other waiting. */
const BATCH = 40
const BETWEEN_BATCHES = 250

const { express, options, directory, only } = JSON.parse(process.argv[2])
const { default: makeApp } = await import(express)
const all = [...suites, surrogate]
const tests = all
  .flatMap(suite => suite.tests)
  .filter(({ id, browser_only }) => !browser_only && (!only || only.includes(id)))

const origin = await listening(createServer(answerAsOrigin))
const cache = new FanoutCache(directory, { shards: 2 })
const app = makeApp().disable('x-powered-by').disable('etag')
app.use(responseCache(cache, options), gatewayTo(origin.address))
app.use((_error, _req, res, _next) => res.status(502).end())
const gateway = await listening(createServer(app))

setFetch(fetch)
setUseBrowserCache(false)
setBaseUrl(`http://${gateway.address.host}:${gateway.address.port}`)
const running = []
for (let at = 0; at < tests.length; at += BATCH) {
  running.push(...tests.slice(at, at + BATCH).map(makeCacheTest))
  await new Promise(resolve => setTimeout(resolve, BETWEEN_BATCHES))
}
await Promise.all(running)
await Promise.all([gateway.close(), origin.close()])
await cache.close()
console.log(`results ${JSON.stringify(tests.map(resultOf))}`)

function resultOf({ id, kind = 'required', depends_on: dependsOn = [] }) {
  const result = testResults[id]
  const isSurrogate = surrogate.tests.some(one => one.id === id)
  return { id, kind, dependsOn, isSurrogate, passed: result === true, message: result === true ? '' : String(result) }
}

/** What server/server.mjs of the suite does, on loopback and on a free port. */
function answerAsOrigin(request, response) {
  const [, kind, ...rest] = new URL(request.url, 'http://localhost').pathname.split('/')
  const handle = { config, state, test }[kind]
  if (handle) handle(rest, request, response)
  else response.writeHead(404).end()
}

async function listening(server) {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const close = () => {
    server.closeAllConnections()
    return new Promise(resolve => server.close(resolve))
  }
  return { address: { host: '127.0.0.1', port: server.address().port }, close }
}
