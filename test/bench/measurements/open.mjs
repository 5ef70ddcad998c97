import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { keys } from '../harness/data.mjs'
import { missingPython, Python } from '../harness/python.mjs'
import { interleave } from '../harness/rounds.mjs'
import { median } from '../harness/statistics.mjs'
import { absoluteAtMost } from '../harness/verdicts.mjs'
import { filled } from './get.mjs'

const SHARDS = 8
const worker = fileURLToPath(new URL('../workers/first-open.mjs', import.meta.url))
const run = promisify(execFile)

/**
 * From the constructor to the end of `open()`, over a directory with 8,000 entries that was closed before; closing is
 * not timed. The first open of a process, which compiles the code as well, is shown beside, and Python's.
 */
export async function measure(bench) {
  const known = keys(bench.scale(8_000))
  const contestants = [
    await opening(bench, 'FanoutCache', { shards: SHARDS }, known),
    await opening(bench, 'Cache', {}, known),
    ...(await openingPython(bench, known.length)),
  ]
  const series = await interleave(contestants, bench.rounds)
  const [fanout, single] = series.values()
  const notes = []
  for (const { kind, directory } of contestants) {
    if (kind)
      notes.push(`${kind}, first open of a process: ${(await firstOpens(bench, kind, directory)).toFixed(2)} ms`)
  }
  return {
    title: 'opening an existing directory',
    series: [...series.values()],
    verdicts: [
      absoluteAtMost('open of a FanoutCache, per shard', fanout.median / 1e3 / SHARDS, 1, 'ms'),
      absoluteAtMost('open of a Cache', single.median / 1e3, 1, 'ms'),
    ],
    notes,
  }
}

async function opening(bench, kind, options, known) {
  const directory = bench.directories.fresh(`open-${kind}`)
  await (await filled(new bench.package[kind](directory, options), known)).close()
  const operations = bench.scale(20)
  return {
    name: kind === 'Cache' ? kind : `${kind} of ${SHARDS}`,
    kind,
    directory,
    operations,
    run: () => openAndClose(bench.package[kind], directory, operations),
    elsewhere: true,
  }
}

/** Measures the opens alone. */
async function openAndClose(Kind, directory, times) {
  let sum = 0
  for (let time = 0; time < times; time++) {
    const startedAt = performance.now()
    const cache = await new Kind(directory).open()
    sum += performance.now() - startedAt
    await cache.close()
  }
  return { milliseconds: sum }
}

async function openingPython(bench, count) {
  if (missingPython()) return []
  const directory = bench.directories.fresh('open-python')
  const kind = 'fanout'
  const python = await Python.open(kind, directory)
  await python.ask('fill', { keys: count })
  await python.close()
  const open = async () => {
    const fresh = new Python()
    // The first one imports and warms up.
    await fresh.ask('open', { kind, directory })
    await fresh.ask('close')
    const measured = await fresh.time('open', { kind, directory })
    await fresh.close()
    return measured
  }
  return [{ name: "Python's FanoutCache of 8", operations: 1, elsewhere: true, run: open }]
}

async function firstOpens(bench, kind, directory) {
  const times = []
  for (let round = 0; round < bench.rounds; round++) {
    const { stdout } = await run(process.execPath, [worker, JSON.stringify({ directory, kind })])
    times.push(Number(stdout))
  }
  return median(times)
}
