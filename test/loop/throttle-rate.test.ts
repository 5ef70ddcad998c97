import { Cache } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const FIXTURE = new URL('./fixtures/throttled.mjs', import.meta.url)
const SECOND = 1000

/** Processes that call as often as they may, once all of them are there. */
async function start(processes: number, rate: { count: number; per: string }): Promise<FixtureProcess[]> {
  const directory = temporaryDirectory()
  const cache = new Cache(directory, { evictionPolicy: 'none' })
  onTestFinished(() => cache.close())
  await cache.open()
  const args = { directory, callers: 3, ...rate }
  const callers = Array.from({ length: processes }, () => new FixtureProcess(FIXTURE, args))
  await Promise.all(callers.map(one => one.line('ready')))
  for (const one of callers) one.send('go')
  return callers
}

/** When calls were let through, epoch milliseconds, in order. */
function times(callers: readonly FixtureProcess[]): number[] {
  const lines = callers.flatMap(one => one.lines).filter(line => line.startsWith('at '))
  return lines.map(line => Number(line.slice(3))).sort((a, b) => a - b)
}

/** Waits until calls of `milliseconds` after the first one have been let through, and answers all of them. */
async function timesUntil(callers: readonly FixtureProcess[], milliseconds: number): Promise<number[]> {
  for (;;) {
    const seen = times(callers)
    const [first = Number.POSITIVE_INFINITY] = seen
    if ((seen.at(-1) ?? 0) >= first + milliseconds) return seen
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

function countBetween(seen: readonly number[], from: number, to: number): number {
  return seen.filter(at => at >= from && at < to).length
}

describe('throttle over processes', () => {
  it('lets 10 calls per second through over 4 processes, after the first second', async () => {
    const callers = await start(4, { count: 10, per: '1s' })
    const seen = await timesUntil(callers, 6 * SECOND)
    const first = seen[0] as number
    expect(countBetween(seen, first + SECOND, first + 6 * SECOND)).toBeGreaterThanOrEqual(45)
    expect(countBetween(seen, first + SECOND, first + 6 * SECOND)).toBeLessThanOrEqual(55)
    // The bucket was full, and no second had more than that and what came in meanwhile.
    expect(countBetween(seen, first, first + SECOND)).toBeLessThanOrEqual(21)
    for (const caller of callers) expect(times([caller]).length).toBeGreaterThan(0)
  })

  it('lets as many through when some of the processes are killed', async () => {
    const callers = await start(4, { count: 10, per: '500ms' })
    await timesUntil(callers, SECOND)
    await Promise.all(callers.slice(0, 2).map(one => one.kill()))
    const killed = Math.max(...times(callers.slice(0, 2)))
    const first = times(callers)[0] as number
    const seen = await timesUntil(callers.slice(2), killed - first + 3 * SECOND)
    const counted = countBetween(seen, killed, killed + 2.5 * SECOND)
    expect(counted).toBeGreaterThanOrEqual(45)
    expect(counted).toBeLessThanOrEqual(55)
  })
})
