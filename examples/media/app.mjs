/**
 * Serves the files of a directory through a cache: the files may lie on a slow disk or a mounted share, the cache on a
 * fast one.
 *
 *   node examples/media/app.mjs ~/Videos            # http://127.0.0.1:3000/media/film.webm
 *   ACCEL=nginx node examples/media/app.mjs ~/Videos # with nginx in front: see nginx.conf
 *
 * PORT, and CACHE for the directory of the cache, are taken from the environment.
 */
import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import express from 'express'
import { FanoutCache } from 'fanout-cache'
import { sendFile } from 'fanout-cache/express'

const source = await realpath(process.argv[2] ?? '.')
const accelerated = process.env.ACCEL === 'nginx'

const cache = new FanoutCache(process.env.CACHE ?? './media-cache', {
  sizeLimit: 20 * 1024 ** 3,
  evictionPolicy: 'least-recently-used',
  // Readable by the group of the web server. Setgid: what is made in a directory belongs to its group.
  disk: { directoryMode: 0o2750, fileMode: 0o640 },
})
await cache.open()

const app = express()
app.disable('x-powered-by')
app.get(
  '/media/*path',
  sendFile(cache, {
    key: request => `media/${request.params.path.join('/')}`,
    fill: openSource,
    cacheControl: 'public, max-age=3600',
    ...(accelerated && { accel: { type: 'nginx', prefix: '/_cache/' } }),
  }),
)
app.use((_request, response) => response.status(404).type('text').send('There is no such file.\n'))

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/media/`)
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop)

/** The file that a request names, unless it is none, or lies elsewhere. */
async function openSource(request) {
  const path = await realpath(resolve(source, ...request.params.path)).catch(() => undefined)
  if (!path?.startsWith(source + sep)) return undefined
  const file = await stat(path)
  if (!file.isFile()) return undefined
  return { body: createReadStream(path), size: file.size, lastModified: file.mtime, ttl: '1d', tags: ['media'] }
}

async function stop() {
  server.close()
  server.closeAllConnections()
  await cache.close()
}
