import { FanoutCache } from 'fanout-cache'
import { expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const SCRIPT = new URL('./fixtures/doors-user.mjs', import.meta.url)
const DOORS = 21

const LOAD_MILLISECONDS = 2000

/** For as long as a process is to be busy, and until it has used as many doors as it has. */
async function busy(process: FixtureProcess): Promise<void> {
  const until = performance.now() + LOAD_MILLISECONDS
  for (let used = 0; used < DOORS || performance.now() < until; used++) await process.line('used', process.lines.length)
}

it('all doors of a directory in two processes, one of them killed, leave it whole and mix nothing up', async () => {
  const directory = temporaryDirectory()
  const [first, second] = [1, 2].map(
    seed => new FixtureProcess(SCRIPT, { directory, seed, ...(seed === 2 && { memory: {} }) }),
  ) as [FixtureProcess, FixtureProcess]
  await Promise.all([first.line('ready'), second.line('ready')])
  await Promise.all([busy(first), busy(second)])
  await first.kill()
  const third = new FixtureProcess(SCRIPT, { directory, seed: 3 })
  await Promise.all([busy(second), busy(third)])
  for (const process of [second, third]) process.send('over')
  await Promise.all([second.line('over'), third.line('over')])
  await Promise.all([second.done(), third.done()])
  const wrong = [first, second, third].flatMap(({ lines }) => lines.filter(line => line.startsWith('wrong')))
  expect(wrong).toEqual([])

  await using cache = new FanoutCache(directory)
  // What a killed process leaves: a value file that no row names yet, and the folder made for it.
  const left = await cache.check()
  expect(left.filter(({ kind }) => kind !== 'unknown-file' && kind !== 'empty-directory')).toEqual([])
  await cache.check({ fix: true })
  expect(await cache.check()).toEqual([])
})
