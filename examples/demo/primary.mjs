import cluster from 'node:cluster'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { directory } from './cache.mjs'
import { MetricsOfAll } from './metrics.mjs'

const WORKERS = 2
/** A worker that cannot even start will not start the next time either. */
const FAILED_STARTS = 4
const STOP_MILLISECONDS = 5000

const TOUR = [
  '/',
  '/?q=san%20fransisco',
  '/api/search?q=sao%20paolo',
  '/media/ocean.webm',
  '/api/entries?tag=country:JP',
  '/api/stats',
  '/metrics',
]

/** Starts the workers, starts again those that die, and ends with them. */
export async function startPrimary() {
  const host = process.env.HOST || '127.0.0.1'
  const port = await freePort(process.env.PORT || '3000', host)
  // The workers accept connections themselves: one handed over to a worker that has just died would never be answered.
  cluster.schedulingPolicy = cluster.SCHED_NONE
  const metrics = new MetricsOfAll()
  const server = { started: Date.now(), restarts: 0, failures: 0, stopping: false, announced: false, counters: {} }

  cluster.on('listening', () => {
    server.failures = 0
    tellWorkers(server)
    if (!server.announced && listening().length === WORKERS) announce(server, host, port)
  })
  cluster.on('message', (worker, message) => {
    if (message?.type === 'kill-other') killOther(worker)
    if (message?.type === 'metrics') void metrics.answer(worker, message)
    if (message?.type !== 'counted') return
    server.counters[worker.process.pid] = message.counted
    tellWorkers(server)
  })
  cluster.on('exit', (worker, code, signal) => {
    if (server.stopping) return
    server.failures += 1
    if (server.failures >= FAILED_STARTS) {
      killAll()
      fail('the workers cannot start')
    }
    console.error(`worker ${worker.process.pid} ended with ${signal ?? code}: another one takes its place`)
    server.restarts += 1
    bury(server.counters, worker.process.pid)
    fork(server, host, port)
    tellWorkers(server)
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(server))
  for (let started = 0; started < WORKERS; started += 1) fork(server, host, port)
}

function fork(server, host, port) {
  cluster.fork({ HOST: host, PORT: String(port), DEMO_STARTED: String(server.started) })
}

function announce(server, host, port) {
  server.announced = true
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  console.log(`listening on ${url}`)
  for (const path of TOUR) console.log(`try ${url}${path}`)
  console.log(`workers ${pids().join(' and ')} share ${directory}`)
  console.log('kill them with -9, start again: what they cached is still there; Ctrl-C ends the demo')
}

/** Workers that have begun to listen and have not died since. */
function listening() {
  return Object.values(cluster.workers ?? {}).filter(worker => worker?.state === 'listening')
}

function pids() {
  return listening().map(worker => worker.process.pid)
}

function tellWorkers(server) {
  for (const worker of listening()) {
    const { restarts, counters } = server
    // One that dies just now is told of by its exit.
    worker.send({ type: 'peers', pids: pids(), restarts, counters }, () => {})
  }
}

/** What a worker has answered counts on when it has ended. */
function bury(counters, pid) {
  const { [pid]: last = {}, ended = {} } = counters
  for (const [name, number] of Object.entries(last)) ended[name] = (ended[name] ?? 0) + number
  delete counters[pid]
  counters.ended = ended
}

function killOther(asking) {
  listening()
    .find(worker => worker.id !== asking.id)
    ?.process.kill('SIGKILL')
}

/** Lets the workers finish what they are answering; a second signal does not wait. */
async function stop(server) {
  if (server.stopping) {
    killAll()
    process.exit(1)
  }
  server.stopping = true
  const workers = Object.values(cluster.workers ?? {})
  const late = setTimeout(killAll, STOP_MILLISECONDS)
  await Promise.all(
    workers.map(async worker => {
      if (!worker || worker.isDead()) return
      const gone = once(worker, 'exit')
      worker.send({ type: 'stop' }, () => {})
      await gone
    }),
  )
  clearTimeout(late)
  process.exit(0)
}

function killAll() {
  for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL')
}

/** The port, or a free one for 0: fixed here, so that all workers, later ones too, listen on the same. */
async function freePort(text, host) {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65535) fail(`PORT must be a port number, got '${text}'`)
  const probe = createServer()
  probe.listen(port, host)
  try {
    await once(probe, 'listening')
  } catch (error) {
    fail(`cannot listen on ${host}, port ${port}: ${error.code ?? error.message}; PORT=0 takes a free one`)
  }
  const chosen = probe.address().port
  probe.close()
  await once(probe, 'close')
  return chosen
}

function fail(sentence) {
  console.error(sentence)
  process.exit(1)
}
