import { rmSync } from 'node:fs'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import type { Worker as Thread } from 'node:worker_threads'
import { startUpkeep, type UpkeepRound } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf, optionsOf } from './support/caches.js'
import { overwriteAll } from './support/damage.js'
import { fillUp, mountTmpfs, tmpfsAvailable } from './support/tmpfs.js'

const UPKEEPER = new URL('./fixtures/upkeeper.mjs', import.meta.url)
const KIND = 'FanoutCache'
const SELDOM = { every: '1h', lease: '10h' }

function upkeeper(directory: string, more: object = {}): FixtureProcess {
  return new FixtureProcess(UPKEEPER, { directory, kind: KIND, options: optionsOf(KIND), ...more })
}

/** Who leads and until when, as a shard has it. */
function leaseIn(directory: string, shard = '000'): { token: string; due: number } | undefined {
  return rawDatabase(join(directory, shard)).prepare("SELECT token, due FROM Lease WHERE name = 'upkeep:'").get() as
    | { token: string; due: number }
    | undefined
}

/** Threads that this process starts meanwhile. */
function watchThreads(): Thread[] {
  const module = createRequire(import.meta.url)('node:worker_threads') as { Worker: typeof Thread }
  const { Worker } = module
  const threads: Thread[] = []
  module.Worker = class extends Worker {
    constructor(...parts: ConstructorParameters<typeof Worker>) {
      super(...parts)
      threads.push(this)
    }
  }
  syncBuiltinESMExports()
  onTestFinished(() => {
    module.Worker = Worker
    syncBuiltinESMExports()
  })
  return threads
}

describe('upkeep of several processes', () => {
  it('passes to another within the lease when the process that worked is killed', async () => {
    const directory = temporaryDirectory()
    const upkeep = { every: 100, lease: 6000 }
    const first = upkeeper(directory, { upkeep })
    await first.line('leads')
    const others = [upkeeper(directory, { upkeep }), upkeeper(directory, { upkeep })]
    for (const other of others) await other.line('ready')
    await first.line('round', first.lines.length)
    // One at a time.
    expect(others.flatMap(other => other.lines).filter(line => !line.startsWith('ready'))).toEqual([])
    await first.kill()
    const before = leaseIn(directory)
    const round = await Promise.race(others.map(other => other.line('round')))
    const after = leaseIn(directory)
    expect(after?.token).not.toBe(before?.token)
    // Not before the lease of the first one has ended.
    expect(Number(round.split(' ')[1])).toBeGreaterThanOrEqual(Math.floor((before?.due ?? Infinity) * 1000))
  })

  it('is left to another who has the lease, and taken again when that lease has ended', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(KIND, directory)
    const upkeep = startUpkeep(cache, { every: '1h', lease: 300 })
    const seen: boolean[] = []
    upkeep.on('lead', leader => seen.push(leader))
    await upkeep.run()
    const own = leaseIn(directory)?.token
    const db = rawDatabase(join(directory, '000'))
    db.prepare("UPDATE Lease SET token = 'another', due = ? WHERE name = 'upkeep:'").run(Date.now() / 1000 + 3600)
    await expect.poll(() => seen).toEqual([true, false])
    expect(await upkeep.run()).toBeUndefined()
    expect(leaseIn(directory)?.token).toBe('another')
    db.prepare("UPDATE Lease SET due = 1 WHERE name = 'upkeep:'").run()
    await expect.poll(() => upkeep.isLeader).toBe(true)
    expect(leaseIn(directory)?.token).toBe(own)
  })

  it('is extended in all shards between rounds', async () => {
    const directory = temporaryDirectory()
    const upkeep = startUpkeep(cacheOf(KIND, directory), { every: '1h', lease: 600 })
    await upkeep.run()
    const [first, other] = [leaseIn(directory)?.due ?? 0, leaseIn(directory, '001')?.due ?? 0]
    await expect.poll(() => leaseIn(directory)?.due).toBeGreaterThan(first)
    await expect.poll(() => leaseIn(directory, '001')?.due).toBeGreaterThan(other)
  })

  it('keeps no process alive', async () => {
    const directory = temporaryDirectory()
    const user = upkeeper(directory, { upkeep: { every: 50 }, leave: true })
    await user.line('round')
    user.send('leave')
    expect(await user.ended).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('upkeep in trouble', () => {
  it('goes on with a new thread when its thread is lost', async () => {
    const threads = watchThreads()
    const cache = cacheOf(KIND, temporaryDirectory())
    const errors: Error[] = []
    cache.on('error', error => errors.push(error))
    const upkeep = startUpkeep(cache, { every: 50 })
    await upkeep.run()
    const isOver = upkeep.run()
    await threads[0]?.terminate()
    expect([undefined, 0]).toContain((await isOver)?.expired)
    await expect.poll(() => threads.length).toBe(2)
    await expect.poll(() => upkeep.isLeader).toBe(true)
    expect(await upkeep.run()).toMatchObject({ expired: 0 })
    expect(errors.map(({ message }) => message)).toEqual([
      expect.stringMatching(/upkeep ended: its thread ended with 1/),
    ])
  })

  it('makes no directory that was removed, and goes on in one that a write has made', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = cacheOf(KIND, directory)
    const errors: Error[] = []
    cache.on('error', error => errors.push(error))
    const upkeep = startUpkeep(cache, { every: 50, lease: 1000 })
    await upkeep.run()
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    await expect.poll(() => upkeep.isLeader).toBe(false)
    expect(await upkeep.run()).toBeUndefined()
    expect(() => rmSync(directory)).toThrow(/ENOENT/)
    for (let key = 0; key < 20; key += 1) await cache.set(key, key, { ttl: 1 })
    await expect.poll(() => upkeep.isLeader).toBe(true)
    await expect.poll(() => cache.count()).toBe(0)
    expect(errors).toEqual([])
  })

  it('works in the other databases while one is locked', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(KIND, directory)
    const upkeep = startUpkeep(cache, { every: '1h', lease: 1000 })
    await upkeep.run()
    const entries = Array.from({ length: 40 }, (_, at) => [at, at, { ttl: 1 }] as const)
    await cache.setMany(entries)
    const inLocked = rawDatabase(join(directory, '001')).prepare('SELECT COUNT(*) FROM Cache').pluck()
    const locker = rawDatabase(join(directory, '001'))
    const waiting = inLocked.get()
    expect(waiting).toBeGreaterThan(0)
    locker.exec('BEGIN IMMEDIATE')
    const round = await upkeep.run()
    expect(round?.expired).toBe(40 - Number(waiting))
    locker.exec('ROLLBACK')
    expect(await upkeep.run()).toMatchObject({ expired: waiting })
  })

  it('tells of a damaged database once, and works in the others', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(KIND, directory, { onCorrupt: 'throw' })
    const errors: Error[] = []
    cache.on('error', error => errors.push(error))
    const upkeep = startUpkeep(cache, SELDOM)
    for (let key = 0; key < 200; key += 1) await cache.set(key, 'x'.repeat(1000), { ttl: '1h' })
    await upkeep.run()
    rawDatabase(join(directory, '001')).pragma('wal_checkpoint(TRUNCATE)')
    overwriteAll(join(directory, '001', 'cache.db'))
    for (let rounds = 0; rounds < 3; rounds += 1) expect(await upkeep.run()).toBeDefined()
    await cache.evict('nothing').catch(() => undefined)
    const told = errors.map(({ message }) => message).filter(message => message.includes('upkeep'))
    expect(told).not.toEqual([])
    expect(new Set(told).size).toBe(told.length)
    expect(upkeep.isLeader).toBe(true)
  })

  it.skipIf(!tmpfsAvailable)('frees a full disk of what has expired', async () => {
    const root = mountTmpfs('size=16m')
    const cache = cacheOf(KIND, join(root, 'cache'), { cullLimit: 0 })
    const upkeep = startUpkeep(cache, SELDOM)
    await upkeep.run()
    for (let key = 0; key < 20; key += 1) await cache.set(key, Buffer.alloc(100_000), { ttl: 1 })
    fillUp(root)
    const rounds: (UpkeepRound | undefined)[] = []
    await expect
      .poll(async () => {
        rounds.push(await upkeep.run())
        return cache.count()
      })
      .toBe(0)
    expect(await cache.set('key', Buffer.alloc(100_000))).toBe(true)
    expect(await cache.check()).toEqual([])
  })
})
