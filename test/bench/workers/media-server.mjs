import { createServer } from 'node:http'
import { loadDoor, loadPackage } from '../harness/project.mjs'

/**
 * An app behind nginx: every request is for one file of the cache. Any message is answered with the megabytes that it
 * keeps in memory, garbage collected, and the milliseconds of processor taken so far.
 */
const { directory } = JSON.parse(process.argv[2])
const { FanoutCache } = await loadPackage()
const { sendFile } = await loadDoor('express')
const cache = new FanoutCache(directory, { disk: { directoryMode: 0o755, fileMode: 0o644 } })
await cache.open()
await cache.set('film.webm', Buffer.alloc(10 * 2 ** 20, 'film'), { meta: { type: 'video/webm' } })
const { path } = await cache.info('film.webm')
const accel = { type: 'nginx', prefix: '/_cache/' }
const send = sendFile(cache, { key: () => 'film.webm', accel })

const server = createServer((request, response) => send(request, response, () => response.writeHead(500).end()))
process.on('message', () => {
  globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  // Not the resident set: that of a bare server of node:http grows by 14 MiB while it warms up.
  const { heapUsed, external } = process.memoryUsage()
  process.send({ kept: (heapUsed + external) / 2 ** 20, cpu: (user + system) / 1e3 })
})
server.keepAliveTimeout = 0
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port, path }))
process.on('disconnect', () => process.exit())
