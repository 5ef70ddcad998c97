import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { interleave } from '../harness/rounds.mjs'
import { absoluteAtMost, fasterThan } from '../harness/verdicts.mjs'

const CONNECTIONS = 32
const CROWD = 1000
const worker = fileURLToPath(new URL('../workers/express-server.mjs', import.meta.url))

/**
 * Express servers in processes of their own, each asked for the same 2 kB of JSON over 32 connections: `res.send(buffer)` with its
 * ETag, and the same route behind `responseCache` and behind apicache in memory. Then 1,000 clients who ask at once for
 * what a slow handler makes: the number of its calls.
 */
export async function measure(bench) {
  const autocannon = await import('autocannon').then(
    module => module.default,
    () => undefined,
  )
  if (!autocannon)
    return { title: 'Express', notes: ['left out: autocannon is not installed: npm ci --prefix test/bench'] }
  const requests = bench.scale(20_000)
  const servers = []
  for (const kind of ['send', 'responseCache', 'apicache']) servers.push(await serve(bench, kind))
  const contestants = servers.map(server => contestant(autocannon, server, requests))
  const series = await interleave(contestants, bench.rounds)
  const calls = await crowd(autocannon, servers[1])
  for (const { child } of servers) child.disconnect()
  const [send, cached, apicache] = contestants.map(({ name }) => series.get(name))
  return {
    title: `Express, ${CONNECTIONS} connections, 2 kB of JSON`,
    series: [...series.values()],
    verdicts: [
      fasterThan('responseCache against res.send(buffer)', cached, send, 0.8),
      fasterThan('responseCache against apicache', cached, apicache, 1),
      absoluteAtMost(`handler calls for ${CROWD} clients on one cold slow key`, calls, 1, 'calls'),
    ],
  }
}

async function serve(bench, kind) {
  const child = fork(worker, [JSON.stringify({ kind, directory: bench.directories.fresh(`express-${kind}`) })])
  const [{ port }] = await once(child, 'message')
  return { kind, child, port }
}

function contestant(autocannon, { kind, child, port }, requests) {
  return {
    name: kind === 'send' ? 'res.send(buffer)' : kind,
    operations: requests,
    elsewhere: true,
    run: async () => {
      const begun = await tell(child, 'cpu')
      const startedAt = performance.now()
      const result = await autocannon({
        url: `http://127.0.0.1:${port}/json`,
        connections: CONNECTIONS,
        amount: requests,
        // It only ends when it samples, once a second if nothing is said: that would be what is measured.
        sampleInt: 5,
      })
      const milliseconds = performance.now() - startedAt
      if (result.non2xx + result.errors > 0)
        throw new Error(`${kind}: ${result.non2xx + result.errors} requests failed`)
      return { milliseconds, cpu: (await tell(child, 'cpu')).cpu - begun.cpu }
    },
  }
}

async function crowd(autocannon, { child, port }) {
  await autocannon({ url: `http://127.0.0.1:${port}/slow`, connections: CROWD, amount: CROWD, timeout: 60 })
  return (await tell(child, 'calls')).calls
}

async function tell(child, what) {
  const answer = once(child, 'message')
  child.send(what)
  return (await answer)[0]
}
