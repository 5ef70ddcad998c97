import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { median, percentile } from './statistics.mjs'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')

/**
 * What is measured.
 *
 * @typedef {object} Contestant
 * @property {string} name
 * @property {number} operations operations of one round
 * @property {boolean} [heavy] its garbage is so much that compiling again costs less than collecting it later
 * @property {boolean} [elsewhere] the work is done in other processes
 * @property {(round: number) => unknown} [prepare] not timed
 * @property {(round: number) => unknown} run timed; one that measures itself, such as another process, answers
 *   `{ milliseconds, cpu? }`
 * @property {(round: number) => number[] | Promise<number[]>} [latencies] microseconds of single operations, timed apart
 *   since the clock itself costs
 * @property {(round: number) => unknown} [tidy] not timed
 */

/** The figures of one contestant: one time per round, and latencies of all rounds together. */
export class Series {
  constructor(name, operations) {
    this.name = name
    this.operations = operations
    /** Microseconds per operation, by round. */
    this.times = []
    /** Microseconds of processor per operation, of all threads: what others do on the machine shows less in it. */
    this.cpu = []
    this.latencies = []
  }

  get median() {
    return median(this.times)
  }

  get p99() {
    return percentile(this.latencies, 99)
  }

  get perSecond() {
    return 1e6 / this.median
  }
}

/**
 * Runs the contestants in turn, round by round, so that what else the machine does meets all of them alike. Each round
 * begins with another contestant, every other one goes backwards, so that nobody always follows the same neighbour and
 * what it leaves behind. One round before the first warms up.
 *
 * @param {Contestant[]} contestants
 * @returns {Promise<Map<string, Series>>}
 */
export async function interleave(contestants, rounds) {
  const series = new Map(contestants.map(({ name, operations }) => [name, new Series(name, operations)]))
  collectGarbage()
  for (let round = 0; round <= rounds; round++) {
    for (const contestant of orderOf(contestants, round)) {
      await runOnce(contestant, round, round === 0 ? undefined : series.get(contestant.name))
    }
  }
  return series
}

function orderOf(contestants, round) {
  const first = round % contestants.length
  const order = [...contestants.slice(first), ...contestants.slice(0, first)]
  return round % 2 === 0 ? order : order.reverse()
}

async function runOnce(contestant, round, series) {
  await contestant.prepare?.(round)
  // The garbage of one contestant shall not be collected on the time of the next. A full collection would throw away
  // compiled code as well, and the contestants in JavaScript would be measured while V8 compiles it again.
  if (contestant.heavy) collectGarbage()
  else collectGarbage({ type: 'minor' })
  const measured = await measure(contestant, round)
  const latencies = await contestant.latencies?.(round)
  await contestant.tidy?.(round)
  if (!series) return
  series.times.push((measured.milliseconds * 1e3) / contestant.operations)
  series.cpu.push((measured.cpu * 1e3) / contestant.operations)
  if (latencies) for (const latency of latencies) series.latencies.push(latency)
}

async function measure(contestant, round) {
  const processor = process.cpuUsage()
  const startedAt = performance.now()
  const own = await contestant.run(round)
  const milliseconds = performance.now() - startedAt
  const { user, system } = process.cpuUsage(processor)
  // What works in other processes says itself how much of the processor it took, or nobody knows.
  if (contestant.elsewhere) return { milliseconds, cpu: Number.NaN, ...own }
  return { milliseconds, cpu: (user + system) / 1e3 }
}

/** `of` in relation to `to`: the ratio of the medians, the median of the ratios of each round, and that of processor. */
export function ratio(of, to) {
  const pairs = of.times.map((time, round) => time / to.times[round])
  return { ofMedians: of.median / to.median, perRound: median(pairs), cpu: median(of.cpu) / median(to.cpu) }
}
