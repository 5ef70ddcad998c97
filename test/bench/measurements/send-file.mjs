import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Downloads } from '../harness/downloads.mjs'
import { interleave } from '../harness/rounds.mjs'
import { absoluteAtMost, fasterThan } from '../harness/verdicts.mjs'

const CONNECTIONS = 4
const FILE_MEGABYTES = 10
const worker = fileURLToPath(new URL('../workers/media-server.mjs', import.meta.url))

/**
 * A file of 10 MiB over 4 connections: nginx asks the app, which answers with X-Accel-Redirect, against the same nginx
 * serving the very same file by its path. What the app keeps in memory is looked at before and after.
 */
export async function measure(bench) {
  const operations = bench.scale(200)
  const directory = bench.directories.fresh('send-file')
  for (const path of [directory, dirname(directory)]) chmodSync(path, 0o755)
  const app = fork(worker, [JSON.stringify({ directory })], { execArgv: ['--expose-gc'] })
  const [{ port: appPort, path }] = await once(app, 'message')
  const nginx = await startNginx(bench.directories.fresh('nginx'), directory, appPort)
  const downloads = await Downloads.connect(nginx.port, CONNECTIONS)
  const contestant = (name, url) => ({ name, operations, elsewhere: true, run: () => downloads.run(url, operations) })
  try {
    await downloads.run('/film.webm', 20)
    const before = await memoryOf(app)
    const series = await interleave(
      [contestant('nginx and sendFile', '/film.webm'), contestant('nginx alone', `/static/${path}`)],
      bench.rounds,
    )
    const growth = (await memoryOf(app)) - before
    const [accelerated, alone] = series.values()
    return {
      title: `a file of ${FILE_MEGABYTES} MiB through nginx, ${CONNECTIONS} connections`,
      series: [accelerated, alone],
      verdicts: [
        fasterThan('nginx and sendFile, to nginx alone', accelerated, alone, 0.9),
        absoluteAtMost('memory that Node took meanwhile', growth, FILE_MEGABYTES, 'MiB'),
      ],
    }
  } finally {
    downloads.close()
    app.disconnect()
    nginx.stop()
  }
}

async function memoryOf(app) {
  const answer = once(app, 'message')
  app.send('memory')
  return (await answer)[0].kept
}

async function startNginx(work, directory, appPort) {
  const port = await freePort()
  mkdirSync(join(work, 'proxy'))
  const file = join(work, 'nginx.conf')
  writeFileSync(file, configuration(work, directory, port, appPort))
  const child = spawn('nginx', ['-p', work, '-c', file, '-g', 'daemon off;'], { stdio: 'ignore' })
  await Promise.race([once(child, 'spawn'), once(child, 'error').then(([error]) => Promise.reject(error))])
  await delay(300)
  if (child.exitCode !== null) throw new Error(`nginx does not start with ${file}`)
  return { port, stop: () => child.kill() }
}

/** nginx as its user leaves it: one worker, which both contestants share. */
function configuration(work, directory, port, appPort) {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${work}/${name};`)
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  return `${user} worker_processes 1; pid ${work}/pid; error_log ${work}/error.log;
    events { worker_connections 256; }
    http {
      ${places.join(' ')} access_log off; sendfile on; tcp_nopush on; sendfile_max_chunk 2m;
      keepalive_requests 1000000; keepalive_timeout 1h;
      upstream app { server 127.0.0.1:${appPort}; keepalive 8; keepalive_requests 1000000; }
      server {
        listen 127.0.0.1:${port};
        location /static/ { alias ${directory}/; }
        location /_cache/ { internal; alias ${directory}/; etag off; add_header ETag $upstream_http_etag; }
        location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }
      }
    }`
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  await new Promise(resolve => server.close(resolve))
  return port
}
