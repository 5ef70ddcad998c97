import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { BoundedSemaphore, Lock } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf, KINDS, type Kind, kindsOf, optionsOf } from './support/caches.js'
import { isInside, noteKill, replay } from './support/holders-log.js'
import { printedSeed } from './support/random.js'

const SCRIPT = new URL('./fixtures/lock-worker.mjs', import.meta.url)
const PROCESSES = 8
const INCREMENTS = 150
const KILLS = 4
/** Whom the machine keeps from extending its lease loses it, as is promised: the next attempt has longer ones. */
const LEASES = [1500, 6000, 24_000] as const
const OPTIONS = { evictionPolicy: 'none' } as const

async function started(count: number, args: object): Promise<FixtureProcess[]> {
  const workers = Array.from({ length: count }, () => new FixtureProcess(SCRIPT, args))
  await Promise.all(workers.map(worker => worker.line('ready')))
  for (const worker of workers) worker.send('go')
  return workers
}

interface Storm {
  readonly directory: string
  /** The log of what the holders did. */
  readonly file: string
}

/**
 * Lets processes hold a lock in turn and kills one after the other, every second time one that is inside, each replaced
 * by a new one. Then lets all of them end: whoever waited for ever would be noticed.
 */
async function storm(kind: Kind, value?: number): Promise<Storm> {
  for (const ttl of LEASES) {
    const scene = { directory: temporaryDirectory(), file: emptyFile() }
    await stormOnce(kind, scene, { ttl, value })
    if (!/^lost /m.test(readFileSync(scene.file, 'utf8'))) return scene
  }
  expect.unreachable('leases of 24 seconds were lost')
}

interface Leases {
  readonly ttl: number
  /** Places, of a semaphore. */
  readonly value: number | undefined
}

async function stormOnce(kind: Kind, { directory, file }: Storm, { ttl, value }: Leases): Promise<void> {
  const { random } = printedSeed(`locks ${kind} ${value ?? ''}`)
  const args = { act: 'work', kind, directory, options: optionsOf(kind, OPTIONS), file, ttl, hold: 4, value }
  const workers = await started(PROCESSES, args)
  for (let kill = 0; kill < KILLS; kill += 1) {
    // Its replacement is there before: whoever is inside now is killed now.
    const [fresh] = (await started(1, args)) as [FixtureProcess]
    await pause(50 + random() * 200)
    const at = kill % 2 ? await stopInside(workers, file) : Math.floor(random() * workers.length)
    const [victim] = workers.splice(at, 1, fresh) as [FixtureProcess]
    await victim.kill()
    noteKill(file, victim.pid)
  }
  await pause(300)
  for (const worker of workers) worker.send('stop')
  for (const worker of workers) expect(await worker.done()).toContain('stopped')
}

/** Stops one of them while it is inside: there it stays until it is killed. */
async function stopInside(workers: readonly FixtureProcess[], file: string): Promise<number> {
  for (;;) {
    const at = workers.findIndex(({ pid }) => isInside(file, pid))
    const pid = workers[at]?.pid
    if (pid !== undefined) {
      process.kill(pid, 'SIGSTOP')
      await pause(5)
      if (isInside(file, pid)) return at
      process.kill(pid, 'SIGCONT')
    }
    await pause(1)
  }
}

function emptyFile(text = ''): string {
  const file = join(temporaryDirectory(), 'file')
  writeFileSync(file, text)
  return file
}

describe.each(KINDS)('processes that share a lock of a %s', kind => {
  it(`count a plain file up exactly: ${PROCESSES} of them, ${INCREMENTS} times each`, async () => {
    const directory = temporaryDirectory()
    const file = emptyFile('0')
    const args = { act: 'increment', kind, directory, options: optionsOf(kind, OPTIONS), file, times: INCREMENTS }
    const workers = await started(PROCESSES, args)
    for (const worker of workers) expect(await worker.done()).toContain('incremented')
    expect(readFileSync(file, 'utf8')).toBe(String(PROCESSES * INCREMENTS))
    const cache = cacheOf(kind, directory, OPTIONS)
    expect(await new Lock(cache, 'report').locked()).toBe(false)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('hold it one at a time, with growing fences, while holders are killed', async () => {
    const { directory, file } = await storm(kind)
    const { fences, written, most, killedInside } = replay(file)
    expect(most).toBe(1)
    expect(killedInside).toBeGreaterThan(0)
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
    // No update was lost, and none came twice.
    expect(written).toEqual(written.map((_, at) => at + 1))
    const cache = cacheOf(kind, directory, OPTIONS)
    await expect.poll(() => new Lock(cache, 'report').locked()).toBe(false)
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('are never more than three in a semaphore of three, while holders are killed', async () => {
    const { directory, file } = await storm(kind, 3)
    const { fences, most, killedInside } = replay(file)
    expect(most).toBe(3)
    expect(killedInside).toBeGreaterThan(0)
    expect(new Set(fences).size).toBe(fences.length)
    const pool = new BoundedSemaphore(cacheOf(kind, directory, OPTIONS), 'report', { value: 3 })
    // The places of those who were killed have come back.
    for (let place = 0; place < 3; place += 1) await pool.acquire({ timeout: '100s' })
    expect(await pool.tryAcquire()).toBe(undefined)
  })

  it.each([undefined, 1])(
    'learn that they lost it when they were stopped beyond their lease (places: %s)',
    async value => {
      const directory = temporaryDirectory()
      const args = { act: 'hold', kind, directory, options: optionsOf(kind, OPTIONS), ttl: 300, value }
      const [holder] = (await started(1, args)) as [FixtureProcess]
      const old = Number((await holder.line('held')).split(' ')[1])
      process.kill(holder.pid, 'SIGSTOP')
      const cache = cacheOf(kind, directory, OPTIONS)
      const lock = value === undefined ? new Lock(cache, 'report') : new BoundedSemaphore(cache, 'report', { value })
      const lease = await lock.acquire({ timeout: '100s' })
      expect(lease.fence).toBeGreaterThan(old)
      process.kill(holder.pid, 'SIGCONT')
      expect(await holder.line('lost')).toBe('lost LeaseLostError')
      holder.send('release')
      expect(await holder.line('released')).toBe('released false')
      expect(await lock.locked()).toBe(true)
      expect(await lease.release()).toBe(true)
      expect(await lock.locked()).toBe(false)
    },
  )

  it.each([undefined, 1])('get it although another takes it again and again (places: %s)', async value => {
    const directory = temporaryDirectory()
    const args = { act: 'hog', kind, directory, options: optionsOf(kind, OPTIONS), callers: 8, value }
    const [hog] = (await started(1, args)) as [FixtureProcess]
    const cache = cacheOf(kind, directory, OPTIONS)
    const lock = value === undefined ? new Lock(cache, 'report') : new BoundedSemaphore(cache, 'report', { value })
    for (let time = 0; time < 5; time += 1) await (await lock.acquire({ timeout: '15s' })).release()
    hog.send('stop')
    expect(await hog.done()).toContain('stopped')
  })

  it('go on with it when they were stopped beyond their lease and nobody came', async () => {
    const directory = temporaryDirectory()
    const args = { act: 'hold', kind, directory, options: optionsOf(kind, OPTIONS), ttl: 300 }
    const [holder] = (await started(1, args)) as [FixtureProcess]
    await holder.line('held')
    process.kill(holder.pid, 'SIGSTOP')
    const cache = cacheOf(kind, directory, OPTIONS)
    const lock = new Lock(cache, 'report')
    await expect.poll(() => lock.locked()).toBe(false)
    process.kill(holder.pid, 'SIGCONT')
    await expect.poll(() => lock.locked()).toBe(true)
    holder.send('release')
    expect(await holder.line('released')).toBe('released true')
    expect(holder.lines.filter(line => line.startsWith('lost'))).toEqual([])
  })
})
