import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Computing } from 'fanout-cache'
import { expect } from 'vitest'
import { FixtureProcess } from '../../helpers/child-process.js'
import { rawDatabase } from '../../helpers/raw-database.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { cacheOf, type Kind, kindsOf, optionsOf, shardsOf } from './caches.js'
import { readElsewhere } from './reader.js'

const SCRIPT = new URL('../fixtures/computer.mjs', import.meta.url)

/** The key that they ask for. */
export const KEY = 'key'

export type Act = 'answer' | 'wait' | 'close' | 'hold'

/** Processes that ask for one key of one directory, which is there and empty. */
export class Computers {
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
export function runnerOf(processes: readonly FixtureProcess[]): Promise<FixtureProcess> {
  return Promise.any(processes.map(process => process.line('computing').then(() => process)))
}

export function sendAll(processes: readonly FixtureProcess[], line: string): void {
  for (const process of processes) process.send(line)
}

/** What processes were answered that end by themselves. */
export async function valuesOf(processes: readonly FixtureProcess[]): Promise<string[]> {
  const told = await Promise.all(processes.map(process => process.done()))
  return told.map(lines => lines.find(line => /^(value|failed)/.test(line)) ?? 'nothing')
}
