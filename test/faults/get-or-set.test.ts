import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type CacheEvents, type Computing, DecodeError } from 'fanout-cache'
import { describe, expect, it, vi } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { Gate } from '../helpers/gate.js'
import { ManualClock } from '../helpers/manual-clock.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { cacheOf, KINDS, type Kind, kindsOf, optionsOf, shardsOf } from './support/caches.js'
import { LockHolder } from './support/lock-holder.js'
import { printedSeed } from './support/random.js'
import { readElsewhere } from './support/reader.js'
import { fillUp, mountTmpfs, tmpfsAvailable } from './support/tmpfs.js'

const SCRIPT = new URL('./fixtures/computer.mjs', import.meta.url)
const INVALIDATOR = new URL('./fixtures/invalidator.mjs', import.meta.url)
const KEY = 'key'
const UNBOUNDED = 2 ** 30

type Act = 'answer' | 'wait' | 'close' | 'hold'

/** Processes that ask for one key of one directory, which is there and empty. */
class Computers {
  readonly kind: Kind
  readonly directory: string = temporaryDirectory()
  readonly #log: string = join(temporaryDirectory(), 'log')
  readonly #release: string = join(temporaryDirectory(), 'release')

  private constructor(kind: Kind) {
    this.kind = kind
  }

  static async on(kind: Kind): Promise<Computers> {
    const computers = new Computers(kind)
    const cache = cacheOf(kind, computers.directory)
    await cache.open()
    await cache.close()
    return computers
  }

  /** Starts processes which have the cache open. */
  async start(count: number, act: Act, computing: Computing = {}): Promise<FixtureProcess[]> {
    const { kind, directory } = this
    const options = optionsOf(kind)
    const args = { kind, directory, options, key: KEY, log: this.#log, computing, act, release: this.#release }
    const processes = Array.from({ length: count }, () => new FixtureProcess(SCRIPT, args))
    await Promise.all(processes.map(process => process.line('ready')))
    return processes
  }

  /** One process that computes already, and goes on until it is told to finish. */
  async computing(act: Act, computing?: Computing): Promise<FixtureProcess> {
    const [process] = await this.start(1, act, computing)
    if (!process) throw new Error('no process')
    process.send('go')
    await process.line('computing')
    return process
  }

  /** Lets go of processes that hold their loop. */
  release(): void {
    writeFileSync(this.#release, '')
  }

  /** Which processes have computed, in order. */
  computed(): number[] {
    if (!existsSync(this.#log)) return []
    return readFileSync(this.#log, 'utf8').trim().split('\n').map(Number)
  }

  /** When the lease of the key ends, in seconds since the epoch. */
  leaseEnd(): number {
    const databases = shardsOf(this.kind).map(shard => rawDatabase(join(this.directory, shard)))
    const ends = databases.flatMap(db => {
      const hasLeases = db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'Lease'").get()
      return hasLeases ? (db.prepare('SELECT due FROM Lease').pluck().all() as number[]) : []
    })
    for (const db of databases) db.close()
    return Math.max(Number.NEGATIVE_INFINITY, ...ends)
  }

  /** What a process that opens the directory afresh has for the key. */
  async stored(): Promise<unknown> {
    return (await readElsewhere(this.kind, this.directory, [KEY]))[0]
  }

  async expectClean(): Promise<void> {
    expect(kindsOf(await cacheOf(this.kind, this.directory).check())).toEqual([])
  }
}

/** The process among them which computes. */
function runnerOf(processes: readonly FixtureProcess[]): Promise<FixtureProcess> {
  return Promise.any(processes.map(process => process.line('computing').then(() => process)))
}

function sendAll(processes: readonly FixtureProcess[], line: string): void {
  for (const process of processes) process.send(line)
}

/** What processes were answered that end by themselves. */
async function valuesOf(processes: readonly FixtureProcess[]): Promise<string[]> {
  const told = await Promise.all(processes.map(process => process.done()))
  return told.map(lines => lines.find(line => /^(value|failed)/.test(line)) ?? 'nothing')
}

describe.each(KINDS)('getOrSet() of many processes on a %s', kind => {
  it('runs the function once for 50 processes that ask for a cold key', { timeout: 120_000 }, async () => {
    const computers = await Computers.on(kind)
    const processes = await computers.start(50, 'wait')
    sendAll(processes, 'go')
    const runner = await runnerOf(processes)
    await Promise.all(processes.map(process => process.line('asking')))
    runner.send('finish')
    expect(new Set(await valuesOf(processes))).toEqual(new Set([`value made by ${runner.pid}`]))
    expect(computers.computed()).toEqual([runner.pid])
    await computers.expectClean()
  })

  it('runs it once more when the process that computes is killed, and answers all others', async () => {
    const computers = await Computers.on(kind)
    const processes = await computers.start(8, 'wait', { lease: '500ms' })
    sendAll(processes, 'go')
    const killed = await runnerOf(processes)
    await Promise.all(processes.map(process => process.line('asking')))
    await killed.kill()
    const others = processes.filter(process => process !== killed)
    const runner = await runnerOf(others)
    runner.send('finish')
    expect(new Set(await valuesOf(others))).toEqual(new Set([`value made by ${runner.pid}`]))
    expect(computers.computed()).toEqual([killed.pid, runner.pid])
    expect(await computers.stored()).toBe(`made by ${runner.pid}`)
    await computers.expectClean()
  })

  it('keeps a computation that is longer than its lease to the process that has it', async () => {
    const computers = await Computers.on(kind)
    const runner = await computers.computing('wait', { lease: 300 })
    const [other] = await computers.start(1, 'wait', { lease: 300 })
    other?.send('go')
    await other?.line('asking')
    const began = computers.leaseEnd()
    // Several leases later it is still extended.
    await expect.poll(() => computers.leaseEnd() - began, { timeout: 20_000, interval: 50 }).toBeGreaterThan(1.5)
    expect(computers.computed()).toEqual([runner.pid])
    runner.send('finish')
    const answers = await valuesOf(other ? [runner, other] : [])
    expect(new Set(answers)).toEqual(new Set([`value made by ${runner.pid}`]))
    expect(computers.computed()).toEqual([runner.pid])
  })

  it('lets another take over when a process is held up past its lease, and keeps the newer value', async () => {
    const computers = await Computers.on(kind)
    const late = await computers.computing('hold', { lease: 300 })
    const others = await computers.start(3, 'answer', { lease: 300 })
    sendAll(others, 'go')
    const answers = await valuesOf(others)
    const [, taker] = computers.computed()
    expect(new Set(answers)).toEqual(new Set([`value made by ${taker}`]))
    computers.release()
    expect(await valuesOf([late])).toEqual([`value made by ${late.pid}`])
    expect(await computers.stored()).toBe(`made by ${taker}`)
    expect(computers.computed()).toHaveLength(2)
    await computers.expectClean()
  })

  it('does not store a late value while another computes, and leaves it its lease', async () => {
    const computers = await Computers.on(kind)
    const late = await computers.computing('hold', { lease: 300 })
    const taker = await computers.computing('wait', { lease: 300 })
    computers.release()
    expect(await valuesOf([late])).toEqual([`value made by ${late.pid}`])
    expect(await computers.stored()).toBeNull()
    const [third] = await computers.start(1, 'answer')
    third?.send('go')
    await third?.line('asking')
    taker.send('finish')
    expect(await valuesOf(third ? [taker, third] : [])).toEqual([1, 2].map(() => `value made by ${taker.pid}`))
    expect(computers.computed()).toEqual([late.pid, taker.pid])
  })

  it('lets another compute once the key was deleted, and keeps the newer value', async () => {
    const computers = await Computers.on(kind)
    const late = await computers.computing('wait')
    const cache = cacheOf(kind, computers.directory)
    await cache.delete(KEY)
    expect(await cache.getOrSet(KEY, () => 'after')).toBe('after')
    late.send('finish')
    expect(await valuesOf([late])).toEqual([`value made by ${late.pid}`])
    expect(await cache.get(KEY)).toBe('after')
  })

  it('is free for others at once when the process that computes closes its cache', async () => {
    const computers = await Computers.on(kind)
    const runner = await computers.computing('close', { lease: '1h' })
    await runner.line('shut')
    const cache = cacheOf(kind, computers.directory)
    expect(await cache.getOrSet(KEY, () => 'next')).toBe('next')
    runner.send('finish')
    expect(await valuesOf([runner])).toEqual([`value made by ${runner.pid}`])
    expect(await cache.get(KEY)).toBe('next')
  })
})

describe.each(KINDS)('getOrSet() on a %s whose keys many processes delete', kind => {
  it('answers and keeps nothing that was computed before the key was deleted', { timeout: 60_000 }, async () => {
    const { seed } = printedSeed(`getOrSet ${kind}`)
    const sources = temporaryDirectory()
    const all = [0, 1, 2, 3]
    for (const key of all) for (const name of ['source', 'deleted']) writeFileSync(join(sources, `${name}-${key}`), '0')
    const directory = temporaryDirectory()
    const args = { kind, directory, options: optionsOf(kind), sources, all, rounds: 150 }
    const processes = all.map(mine => new FixtureProcess(INVALIDATOR, { ...args, mine, seed: seed + mine }))
    await Promise.all(processes.map(process => process.line('ready')))
    sendAll(processes, 'go')
    const told = await Promise.all(processes.map(process => process.done()))
    expect(told.flat().filter(line => line !== 'ready' && line !== 'done')).toEqual([])
    const cache = cacheOf(kind, directory)
    for (const key of all) {
      const source = Number(readFileSync(join(sources, `source-${key}`), 'utf8'))
      expect(source).toBeGreaterThan(5)
      expect([source, undefined]).toContain(await cache.get(key))
    }
    expect(kindsOf(await cache.check())).toEqual([])
  })
})

describe.each(KINDS)('getOrSet() on a %s that cannot be written', kind => {
  it('answers while another process holds the lock, and tells that nothing was stored', async () => {
    const computers = await Computers.on(kind)
    const processes = await computers.start(3, 'answer', { timeout: 200 })
    const holder = await LockHolder.holding(kind, computers.directory)
    sendAll(processes, 'go')
    const told = await Promise.all(processes.map(process => process.done()))
    for (const [at, lines] of told.entries()) {
      expect(lines).toContain(`value made by ${processes[at]?.pid}`)
      expect(lines).toContain('refused timeout')
    }
    await holder.free()
    expect(await computers.stored()).toBeNull()
  })

  it('answers when the lock is taken during the computation', async () => {
    const computers = await Computers.on(kind)
    const runner = await computers.computing('wait', { timeout: 200, lease: 300 })
    const holder = await LockHolder.holding(kind, computers.directory)
    runner.send('finish')
    await runner.line('refused timeout')
    expect(await runner.line('value')).toBe(`value made by ${runner.pid}`)
    await holder.free()
    const cache = cacheOf(kind, computers.directory)
    expect(await cache.getOrSet(KEY, () => 'next')).toBe('next')
    await computers.expectClean()
  })

  it('answers all processes once a lock is free that was held meanwhile', async () => {
    const computers = await Computers.on(kind)
    const processes = await computers.start(4, 'answer', { timeout: '1m' })
    const holder = await LockHolder.holding(kind, computers.directory)
    sendAll(processes, 'go')
    await Promise.all(processes.map(process => process.line('asking')))
    expect(computers.computed()).toEqual([])
    await holder.free()
    expect(new Set(await valuesOf(processes)).size).toBe(1)
    expect(computers.computed()).toHaveLength(1)
  })

  it('answers an old value at once, again and again, while the lock is held', async () => {
    const clock = new ManualClock()
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory, { clock })
    const options = { ttl: 1000, staleFor: '1h', lease: '1h' } as const
    await cache.getOrSet(KEY, () => 'old', options)
    clock.advance(1000)
    const holder = await LockHolder.holding(kind, directory)
    const factory = vi.fn(() => 'new')
    for (let call = 0; call < 20; call++) {
      expect(await cache.getOrSet(KEY, factory, options)).toBe('old')
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(factory).not.toHaveBeenCalled()
    await holder.free()
    await expect.poll(() => cache.get(KEY)).toBe('new')
    expect(factory).toHaveBeenCalledTimes(1)
  })

  it('answers an old value at once while a new one waits for the lock', async () => {
    const clock = new ManualClock()
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory, { clock })
    const options = { ttl: 1000, staleFor: '1h', lease: '1h' } as const
    await cache.getOrSet(KEY, () => 'old', options)
    clock.advance(1000)
    const begun = new Gate()
    const result = new Gate<string>()
    const factory = (): Promise<string> => {
      begun.open()
      return result.opened
    }
    expect(await cache.getOrSet(KEY, factory, options)).toBe('old')
    await begun.opened
    const holder = await LockHolder.holding(kind, directory)
    result.open('new')
    for (let call = 0; call < 20; call++) {
      await new Promise(resolve => setImmediate(resolve))
      expect(await cache.getOrSet(KEY, () => 'another', options)).toBe('old')
    }
    await holder.free()
    await expect.poll(() => cache.get(KEY)).toBe('new')
  })

  it('computes nothing for an old value that it could not store', async () => {
    const clock = new ManualClock()
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory, { clock })
    const options = { ttl: 1000, staleFor: '1h', timeout: 100 } as const
    await cache.getOrSet(KEY, () => 'old', options)
    clock.advance(1000)
    const holder = await LockHolder.holding(kind, directory)
    const refused = new Gate<CacheEvents['refused']>()
    cache.on('refused', event => refused.open(event))
    const factory = vi.fn(() => 'new')
    expect(await cache.getOrSet(KEY, factory, options)).toBe('old')
    expect(await refused.opened).toMatchObject({ key: KEY, reason: 'timeout' })
    await new Promise(resolve => setImmediate(resolve))
    expect(factory).not.toHaveBeenCalled()
    await holder.free()
  })

  it.skipIf(!tmpfsAvailable)('answers on a full disk, and tells that nothing was stored', async () => {
    const root = mountTmpfs('size=16m')
    const directory = join(root, 'cache')
    const cache = cacheOf(kind, directory, { evictionPolicy: 'none', sizeLimit: UNBOUNDED })
    await cache.set('stored', 'before')
    fillUp(root)
    const refused: CacheEvents['refused'][] = []
    cache.on('refused', event => refused.push(event))
    const large = 'L'.repeat(2_000_000)
    for (const value of [large, 'small'.repeat(1000)]) {
      for (let key = 0; key < 20; key++) expect(await cache.getOrSet(key, () => value)).toBe(value)
    }
    expect(refused.length).toBeGreaterThanOrEqual(20)
    expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['full']))
    expect(await cache.getOrSet('stored', () => 'again')).toBe('before')
    expect(kindsOf(await cache.check())).toEqual([])
  })
})

describe.each(KINDS)('getOrSet() on a %s', kind => {
  it('computes for others when a computation was given up and does not end', async () => {
    const cache = cacheOf(kind, temporaryDirectory())
    const abort = new AbortController()
    const begun = new Gate()
    const endless = (): Promise<string> => {
      begun.open()
      return new Promise(() => undefined)
    }
    const answer = cache.getOrSet(KEY, endless, { lease: 100, signal: abort.signal })
    await begun.opened
    abort.abort(new Error('enough'))
    await expect(answer).rejects.toThrow('enough')
    expect(await cache.getOrSet(KEY, () => 'made', { lease: 100 })).toBe('made')
  })

  it('rejects as get() does when the bytes of a file are no value, and harms nobody', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await cache.getOrSet(KEY, () => ({ some: 'object' }), { file: true })
    const [file = ''] = valueFiles(directory)
    writeFileSync(file, '}'.repeat(readFileSync(file).length))
    await expect(cache.get(KEY)).rejects.toThrow(DecodeError)
    await expect(cache.getOrSet(KEY, () => 'new')).rejects.toThrow(DecodeError)
    await cache.delete(KEY)
    expect(await cache.getOrSet(KEY, () => 'new')).toBe('new')
  })

  it('computes anew when the file of a value is gone', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await cache.getOrSet(KEY, () => 'old', { file: true })
    const [file = ''] = valueFiles(directory)
    writeFileSync(file, '')
    expect(await cache.getOrSet(KEY, () => 'new', { file: true })).toBe('new')
    expect(await cache.getOrSet(KEY, () => 'again')).toBe('new')
    expect(kindsOf(await cache.check())).toEqual([])
  })
})
