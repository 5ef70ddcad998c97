import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { commitsOf } from '../harness/commits.mjs'
import { keys, randomKeys } from '../harness/data.mjs'
import { HttpLoad } from '../harness/http-load.mjs'
import { count } from '../harness/report.mjs'
import { interleave } from '../harness/rounds.mjs'
import { median } from '../harness/statistics.mjs'
import { absoluteAtLeast } from '../harness/verdicts.mjs'

const CONNECTIONS = 64
const worker = fileURLToPath(new URL('../workers/http-server.mjs', import.meta.url))

/**
 * A server in a process of its own with 64 connections, each of which sends the next request when the one before is
 * answered; a request is one awaited `set`, and nothing in the server gathers them. How many of them share a commit is
 * read from SQLite's counter of commits (harness/commits.mjs), before and after each round.
 */
export async function measure(bench) {
  const operations = bench.scale(20_000)
  const paths = randomKeys(operations, keys(10_000), 1).map(key => `/${key}`)
  const contestants = []
  for (const kind of ['Cache', 'FanoutCache', 'none']) contestants.push(await serve(bench, kind, paths))
  const series = await interleave(contestants, bench.rounds)
  for (const contestant of contestants) contestant.close()

  const perCommit = contestants.map(({ perRound }) => median(perRound.slice(1)))
  return {
    title: `HTTP, ${CONNECTIONS} connections, one set per request`,
    series: [...series.values()],
    verdicts: [absoluteAtLeast('Cache, sets per commit', perCommit[0], 5, 'sets')],
    notes: [`FanoutCache of 8: ${count(perCommit[1])} sets per commit of a shard`],
  }
}

async function serve(bench, kind, paths) {
  const directory = bench.directories.fresh(`http-${kind}`)
  const child = fork(worker, [JSON.stringify({ directory, kind })])
  const [{ port }] = await once(child, 'message')
  const load = await HttpLoad.connect(port, CONNECTIONS)
  const perRound = []
  let before = 0
  return {
    name: kind === 'none' ? 'server without a cache' : kind,
    operations: paths.length,
    elsewhere: true,
    perRound,
    prepare: () => {
      before = commitsOf(directory)
    },
    run: async () => {
      const begun = await processorOf(child)
      const startedAt = performance.now()
      await load.run(paths)
      const milliseconds = performance.now() - startedAt
      return { milliseconds, cpu: (await processorOf(child)) - begun }
    },
    tidy: () => perRound.push(paths.length / (commitsOf(directory) - before)),
    close: () => {
      load.close()
      child.disconnect()
    },
  }
}

async function processorOf(child) {
  const answer = once(child, 'message')
  child.send('cpu')
  return (await answer)[0].cpu
}
