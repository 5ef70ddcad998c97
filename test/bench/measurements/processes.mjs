import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { keys } from '../harness/data.mjs'
import { missingPython, Python } from '../harness/python.mjs'
import { interleave } from '../harness/rounds.mjs'
import { absoluteAtMost, fasterThan } from '../harness/verdicts.mjs'
import { filled } from './get.mjs'

export const PROCESSES = 8
const SHARDS = 8
export const KEYS = 1_000
const worker = fileURLToPath(new URL('../workers/mixed.mjs', import.meta.url))

/**
 * Eight processes over one FanoutCache of 8 shards with 1,000 keys: 90 % get, 9 % set, 1 % delete, each operation
 * awaited before the next. Python's FanoutCache does the same with the same defaults, and gives a set up after 10 ms,
 * which it answers with False. Timed from the word to begin to the answer of the last process; the processes live on
 * between the rounds and sleep while the others run.
 */
export async function measure(bench) {
  const ours = await ourTeam(bench)
  const teams = [ours, ...(missingPython() ? [] : [await pythonTeam(bench)])]
  const series = await compareTeams(bench, teams)
  const [here, there] = series.values()
  const verdicts = [absoluteAtMost('failed sets', ours.failed, 0, 'sets')]
  const notes = []
  if (there) {
    verdicts.unshift(fasterThan(`${PROCESSES} processes, operations to those of Python`, here, there, 1.25))
    notes.push(`failed sets of Python: ${teams[1].failed}`)
  } else {
    notes.push(`left out: ${missingPython()}`)
  }
  return {
    title: `${PROCESSES} processes, 90 % get, 9 % set, 1 % delete`,
    series: [...series.values()],
    verdicts,
    notes,
  }
}

/** Lets the teams work in turn, and closes them. */
export async function compareTeams(bench, teams) {
  const operations = bench.scale(20_000)
  const contestants = teams.map(team => ({
    name: team.name,
    operations: operations * PROCESSES,
    elsewhere: true,
    run: async round => {
      const reports = await Promise.all(
        team.members.map((work, member) => work(operations, round * 100 + member * 2 + 1)),
      )
      for (const { failed } of reports) team.failed += failed
      return { cpu: reports.reduce((sum, { cpu }) => sum + cpu, 0) }
    },
  }))
  const series = await interleave(contestants, bench.rounds)
  for (const team of teams) await team.close()
  return series
}

export async function ourTeam(bench, memory) {
  const directory = bench.directories.fresh('processes')
  await (await filled(new bench.package.FanoutCache(directory, { shards: SHARDS }), keys(KEYS))).close()
  const argument = JSON.stringify({ directory, shards: SHARDS, count: KEYS, memory })
  const children = Array.from({ length: PROCESSES }, () => fork(worker, [argument]))
  await Promise.all(children.map(child => once(child, 'message')))
  return {
    name: memory ? 'FanoutCache with memory' : 'FanoutCache',
    failed: 0,
    members: children.map(child => async (operations, seed) => {
      const answer = once(child, 'message')
      child.send({ operations, seed })
      return (await answer)[0]
    }),
    close: async () => {
      for (const child of children) child.disconnect()
    },
  }
}

export async function pythonTeam(bench) {
  const directory = bench.directories.fresh('processes-python')
  const children = []
  for (let member = 0; member < PROCESSES; member++) children.push(await Python.open('fanout', directory))
  const filling = children[0]
  // In one transaction per shard, not to wait for 1,000 commits.
  await filling.ask('fill', { keys: KEYS })
  return {
    name: "Python's FanoutCache",
    failed: 0,
    members: children.map(python => (operations, seed) => python.ask('mixed', { count: operations, keys: KEYS, seed })),
    close: () => Promise.all(children.map(python => python.close())),
  }
}
