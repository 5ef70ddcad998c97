import { writeFileSync } from 'node:fs'
import { readArguments, USAGE } from './harness/arguments.mjs'
import { Directories } from './harness/directories.mjs'
import { describeMachine, forcedSwitches, machineLines } from './harness/machine.mjs'
import { loadPackage } from './harness/project.mjs'
import { reportLines, summaryLines, toJson } from './harness/report.mjs'

/** In this order: short ones first. */
const MEASUREMENTS = [
  'get',
  'metrics',
  'set',
  'set-concurrent',
  'http',
  'express',
  'send-file',
  'nest',
  'objects',
  'compressed',
  'memory',
  'recipes',
  'keyv',
  'deque',
  'large-values',
  'open',
  'eviction-policies',
  'processes',
  'upkeep',
  'million',
  'peers',
]

async function main() {
  const options = readArguments(process.argv.slice(2), MEASUREMENTS)
  if (options.help) return console.log(USAGE)
  if (options.list) return console.log(MEASUREMENTS.join('\n'))
  const machine = await describeMachine(options.directory)
  console.log(machineLines(machine).join('\n'))
  console.log(`${options.rounds} interleaved rounds${options.quick ? ', quick: not for comparing' : ''}`)
  const bench = {
    rounds: options.rounds,
    quick: options.quick,
    /** The number of operations or rows, smaller when it is to be quick. */
    scale: number => (options.quick ? Math.ceil(number / 10) : number),
    directories: new Directories(options.directory),
    package: await loadPackage(),
  }
  const results = []
  for (const name of MEASUREMENTS) if (options.only.includes(name)) results.push(await measure(name, bench))
  console.log(summaryLines(results).join('\n'))
  if (options.json) writeFileSync(options.json, toJson(machine, results))
  const missed = results.some(({ error, verdicts = [] }) => error || verdicts.some(({ met }) => met === false))
  process.exitCode = options.strict && missed ? 1 : 0
}

async function measure(name, bench) {
  const switches = forcedSwitches()
  const startedAt = performance.now()
  try {
    const { measure } = await import(`./measurements/${name}.mjs`)
    const result = { name, ...(await measure(bench)) }
    console.log(reportLines(result).join('\n'))
    const seconds = ((performance.now() - startedAt) / 1e3).toFixed(0)
    console.log(`  · ${seconds} s, ${forcedSwitches() - switches} times interrupted by other processes`)
    return result
  } catch (error) {
    console.log(`\n${name}: failed\n${error.stack}`)
    return { name, title: name, error: error.message }
  }
}

try {
  await main()
  // Peers may leave handles behind; nothing is waited for any more.
  process.exit()
} catch (error) {
  console.error(error instanceof RangeError || error.code?.startsWith('ERR_PARSE_ARGS') ? error.message : error.stack)
  process.exit(1)
}
