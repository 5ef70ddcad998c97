// What happens when a popular answer expires: every request that comes before the new answer is there computes it, in
// every process. Three ways of caching one costly search over 135,000 places, each for some seconds, over four processes:
//
//   get and set            every miss computes
//   getOrSet               one caller computes, the others wait for it
//   getOrSet with beta     one caller computes before the answer expires, and nobody waits
//
//   node examples/stampede/main.mjs [--seconds 4] [--svg stampede.svg]
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bars, svg } from './plot.mjs'

const PROCESSES = 4
const SLICE = 250
const { values } = parseArgs({ options: { seconds: { type: 'string', default: '4' }, svg: { type: 'string' } } })
const seconds = Number(values.seconds)
if (!(seconds > 0)) throw new RangeError(`--seconds must be a number above 0, got ${values.seconds}`)

const MODES = { 'get and set': 'unprotected', getOrSet: 'protected', 'getOrSet with beta': 'early' }

const plots = []
for (const [title, mode] of Object.entries(MODES)) {
  const directory = mkdtempSync(join(tmpdir(), 'stampede-'))
  try {
    const calls = await runMode(mode, directory)
    plots.push({ title, calls })
    console.log(
      `\n${title}: ${calls.total} searches for ${calls.requests} requests in ${calls.seconds.toFixed(1)} s, ` +
        `the slowest took ${calls.slowest} ms`,
    )
    console.log(bars(calls.perSecond, SLICE / 1000))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
if (values.svg) writeFileSync(values.svg, svg(plots, SLICE / 1000))

/** Searches per second, slice by slice, of all processes together. */
async function runMode(mode, directory) {
  const reports = await reportsOf(mode, directory)
  const slices = new Array(Math.ceil((seconds * 1000) / SLICE)).fill(0)
  for (const { computedAt } of reports) {
    for (const at of computedAt) slices[Math.min(slices.length - 1, Math.max(0, Math.floor(at / SLICE)))]++
  }
  return {
    total: reports.reduce((sum, { computedAt }) => sum + computedAt.length, 0),
    requests: reports.reduce((sum, { requests }) => sum + requests, 0),
    // Longer than was asked for when the machine cannot keep up.
    seconds: Math.max(...reports.map(({ took }) => took)) / 1000,
    slowest: Math.round(Math.max(...reports.map(({ slowest }) => slowest))),
    perSecond: slices.map(count => count / (SLICE / 1000)),
  }
}

async function reportsOf(mode, directory) {
  const workers = Array.from({ length: PROCESSES }, () =>
    fork(new URL('worker.mjs', import.meta.url), [mode, directory, String(seconds)]),
  )
  const gone = workers.map(worker => once(worker, 'exit'))
  try {
    // They begin together, when each has loaded its places.
    await Promise.all(workers.map(said))
    const reports = workers.map(said)
    for (const worker of workers) worker.send({ begin: Date.now() + 100 })
    return await Promise.all(reports)
  } finally {
    for (const worker of workers) worker.kill()
    await Promise.all(gone)
  }
}

/** What a worker says next. One that is killed says nothing any more. */
async function said(worker) {
  const ended = once(worker, 'disconnect').then(() => {
    throw new Error('a worker ended before its time')
  })
  const [message] = await Promise.race([once(worker, 'message'), ended])
  return message
}
