import { createRequire } from 'node:module'
import { setTimeout as delay } from 'node:timers/promises'
import { loadPackage } from '../harness/project.mjs'

/** An Express server with a cache, or none. Messages are answered with processor time, or the calls of the slow handler. */
const { kind, directory } = JSON.parse(process.argv[2])
const require = createRequire(new URL('../../../package.json', import.meta.url))
const express = require('express')
const items = Array.from({ length: 20 }, (_, id) => ({ id, name: `item number ${id}`, text: 'x'.repeat(58) }))
const body = Buffer.from(JSON.stringify({ items }))
let calls = 0

const app = express()
if (kind === 'responseCache') {
  const { FanoutCache } = await loadPackage()
  const { responseCache } = await import(new URL('../../../dist/express.mjs', import.meta.url).href)
  const cache = new FanoutCache(directory)
  await cache.open()
  app.use(responseCache(cache))
}
if (kind === 'apicache') app.use((await import('apicache')).default.middleware('1 hour'))
app.get('/json', (_request, response) => {
  response.set({ 'Content-Type': 'application/json', 'Cache-Control': 'max-age=3600' }).send(body)
})
app.get('/slow', async (_request, response) => {
  calls += 1
  await delay(1000)
  response.set('Cache-Control', 'max-age=3600').send(body)
})

const server = app.listen(0, '127.0.0.1', 2048, () => process.send({ port: server.address().port }))
server.keepAliveTimeout = 0
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send({ cpu: (user + system) / 1e3, calls })
})
process.on('disconnect', () => process.exit())
