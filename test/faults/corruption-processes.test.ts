import { existsSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf, kindsOf, optionsOf, shardsOf } from './support/caches.js'
import { DAMAGES, overwriteAll } from './support/damage.js'

const SCRIPT = new URL('./fixtures/shard-user.mjs', import.meta.url)
/** Even keys lie in the first shard of two. */
const KEYS = [0, 2, 4, 6]
const KIND = 'FanoutCache'

function users(directory: string): FixtureProcess[] {
  const options = optionsOf(KIND)
  return KEYS.map(mine => new FixtureProcess(SCRIPT, { kind: KIND, directory, options, mine, all: KEYS }))
}

/** The counters that a process saw last. */
function seen(user: FixtureProcess): number[] {
  const line = user.lines.findLast(candidate => candidate.startsWith('seen '))
  return line === undefined ? KEYS.map(() => 0) : (JSON.parse(line.slice(5)) as number[])
}

/** Every process sees every counter move on: all of them write to one database and read it. */
async function expectShared(processes: readonly FixtureProcess[]): Promise<void> {
  // Counters only grow while the processes live, and those of before lie in the database that is gone.
  const own = processes.map((user, index) => seen(user)[index] ?? 0)
  const floor = own.map(count => count + 10)
  await expect
    .poll(() => processes.map(user => seen(user).every((count, index) => count >= (floor[index] ?? 0))))
    .toEqual(processes.map(() => true))
}

/** Where the damaged database was moved to, according to all processes. */
function quarantines(processes: readonly FixtureProcess[]): string[] {
  return processes.flatMap(({ lines }) =>
    lines.filter(line => line.startsWith('quarantine ')).map(line => line.slice(11)),
  )
}

async function stopped(processes: readonly FixtureProcess[]): Promise<void> {
  for (const user of processes) user.send('stop')
  await Promise.all(processes.map(user => user.line('closed')))
}

describe('four processes with one shard open', () => {
  // A page that the write-ahead log holds as well heals at the next checkpoint: then nothing need be moved aside.
  const damages = [
    { name: 'is overwritten with garbage', damage: overwriteAll, least: 1 },
    { name: 'has its first page overwritten', damage: DAMAGES['whose first page is overwritten'], least: 0 },
    { name: 'is truncated to half', damage: DAMAGES['that is truncated to half'], least: 0 },
    { name: 'is truncated to nothing', damage: (path: string): void => truncateSync(path, 0), least: 0 },
  ]

  it.each(damages)('all recover, with one quarantine at most, when its database $name', async ({ damage, least }) => {
    const directory = temporaryDirectory()
    const processes = users(directory)
    await expectShared(processes)
    damage(join(directory, shardsOf(KIND)[0] ?? '', 'cache.db'))
    await expectShared(processes)
    await stopped(processes)
    const moved = quarantines(processes)
    expect(moved.length).toBeGreaterThanOrEqual(least)
    expect(moved.length).toBeLessThanOrEqual(1)
    for (const path of moved) expect(existsSync(path)).toBe(true)
    expect(processes.flatMap(({ lines }) => lines.filter(line => line.startsWith('failed')))).toEqual([])
    const cache = cacheOf(KIND, directory)
    await cache.check({ fix: true })
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('quarantine once for each of two damages', async () => {
    const directory = temporaryDirectory()
    const processes = users(directory)
    await expectShared(processes)
    for (let damage = 1; damage <= 2; damage += 1) {
      overwriteAll(join(directory, shardsOf(KIND)[0] ?? '', 'cache.db'))
      await expect.poll(() => quarantines(processes).length).toBe(damage)
      await expectShared(processes)
    }
    await stopped(processes)
    expect(new Set(quarantines(processes)).size).toBe(2)
  })
})
