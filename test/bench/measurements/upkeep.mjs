import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { keys } from '../harness/data.mjs'
import { missingPython, Python } from '../harness/python.mjs'
import { interleave } from '../harness/rounds.mjs'
import { percentile } from '../harness/statistics.mjs'
import { absoluteAtLeast, absoluteAtMost } from '../harness/verdicts.mjs'
import { filled } from './get.mjs'
import { KEYS, PROCESSES } from './processes.mjs'

const SHARDS = 8
const MEBIBYTE = 2 ** 20
const worker = fileURLToPath(new URL('../workers/upkept.mjs', import.meta.url))

/**
 * The mix of `processes` with a time to live of a second, on a directory that is kept up: how long the slowest set of a
 * thousand takes, by itself and compared with Python's FanoutCache and with ours without upkeep. All sets of all
 * processes count, those that Python gives up too.
 */
export async function measure(bench) {
  const kept = await ourTeam(bench, 'FanoutCache, kept up', true)
  const teams = [kept, await ourTeam(bench, 'FanoutCache', false)]
  if (!missingPython()) teams.push(await pythonTeam(bench))
  const operations = bench.scale(20_000)
  const series = await interleave(
    teams.map(team => contestant(team, operations)),
    bench.rounds,
  )
  const [ours, bare, python] = teams.map(({ sets }) => percentile(sets, 99.9) / 1e3)
  const left = leftOver(kept.directory)
  const volume = await volumeOf(bench, kept.directory)
  for (const team of teams) await team.close()
  const verdicts = [
    ...(python === undefined ? [] : [absoluteAtLeast('p99.9 of set, Python to ours', python / ours, 3, '×')]),
    absoluteAtMost('failed sets', kept.failed, 0, 'sets'),
    absoluteAtMost('files left over', left, 0, 'files'),
    absoluteAtMost('largest log', kept.log / MEBIBYTE, 32, 'MiB'),
    absoluteAtMost('volume to the limit', volume, 1, '×'),
  ]
  const tails = { 'kept up': ours, 'without upkeep': bare, Python: python }
  const notes = Object.entries(tails).map(
    ([name, tail]) => `p99.9 of set, ${name}: ${tail?.toFixed(1) ?? missingPython()} ms`,
  )
  return { title: `${PROCESSES} processes, kept up`, series: [...series.values()], verdicts, notes }
}

function contestant(team, operations) {
  return {
    name: team.name,
    operations: operations * PROCESSES,
    elsewhere: true,
    run: async round => {
      const reports = await Promise.all(
        team.members.map((work, member) => work(operations, round * 100 + member * 2 + 1)),
      )
      for (const { failed, sets } of reports) {
        team.failed += failed
        // The first round warms up.
        if (round > 0) for (const time of sets) team.sets.push(time)
      }
      team.log = Math.max(team.log, longestLog(team.directory))
      return { cpu: reports.reduce((sum, { cpu }) => sum + cpu, 0) }
    },
  }
}

async function ourTeam(bench, name, upkeep) {
  const directory = bench.directories.fresh('upkeep')
  await (await filled(new bench.package.FanoutCache(directory, { shards: SHARDS }), keys(KEYS))).close()
  const argument = JSON.stringify({ directory, shards: SHARDS, count: KEYS, upkeep })
  const children = Array.from({ length: PROCESSES }, () => fork(worker, [argument]))
  await Promise.all(children.map(child => once(child, 'message')))
  const members = children.map(child => async (operations, seed) => {
    const answer = once(child, 'message')
    child.send({ operations, seed })
    return (await answer)[0]
  })
  const close = async () => {
    for (const child of children) child.disconnect()
  }
  return { name, directory, members, close, failed: 0, sets: [], log: 0 }
}

async function pythonTeam(bench) {
  const directory = bench.directories.fresh('upkeep-python')
  const children = []
  for (let member = 0; member < PROCESSES; member++) children.push(await Python.open('fanout', directory))
  await children[0].ask('fill', { keys: KEYS })
  const members = children.map(
    python => (operations, seed) => python.ask('mixed_expiring', { count: operations, keys: KEYS, seed }),
  )
  const close = () => Promise.all(children.map(python => python.close()))
  return { name: "Python's FanoutCache", directory, members, close, failed: 0, sets: [], log: 0 }
}

/** The log keeps the length that it once had: to look now and then will do. */
function longestLog(directory) {
  const logs = readdirSync(directory).map(shard => join(directory, shard, 'cache.db-wal'))
  return Math.max(...logs.map(path => statSync(path, { throwIfNoEntry: false })?.size ?? 0))
}

/** Values are small and lie in the databases: every file that is not of those was left over. */
function leftOver(directory) {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile() && !/^cache\.db(-wal|-shm|-reserve)?$/.test(entry.name)).length
}

async function volumeOf(bench, directory) {
  const cache = new bench.package.FanoutCache(directory, { shards: SHARDS })
  const volume = (await cache.volume()) / (await cache.settings()).sizeLimit
  await cache.close()
  return volume
}
