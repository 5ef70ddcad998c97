import { setTimeout as pause } from 'node:timers/promises'
import type { CacheOptions, DiskCache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { checkedValue, sequenceOf } from './fixtures/checked-value.mjs'
import { cacheOf, KINDS, type Kind, kindsOf, optionsOf } from './support/caches.js'
import { Ledger } from './support/ledger.js'
import { printedSeed } from './support/random.js'

const SCRIPT = new URL('./fixtures/crash-writer.mjs', import.meta.url)
const WRITERS = 2
const ROUNDS = 3

interface Crash {
  readonly kind: Kind
  readonly directory: string
  readonly options: CacheOptions
  readonly round: number
  readonly seed: number
  /** Changes that each writer has made by then at least, however slow the machine is. */
  readonly changes: number
  /** From then on. */
  readonly milliseconds: number
}

/** Runs writers on one directory and kills them all after some time. Answers what each has told. */
async function crash({ kind, directory, options, round, seed, changes, milliseconds }: Crash): Promise<string[][]> {
  const writers = Array.from({ length: WRITERS }, (_, index) => {
    const first = (round + 1) * 1_000_000
    const writer = `w${index}`
    return new FixtureProcess(SCRIPT, { kind, directory, options, writer, seed: seed + round * 10 + index, first })
  })
  await Promise.all(writers.map(writer => writer.line('ready')))
  for (const writer of writers) writer.send('go')
  for (const { lines } of writers) {
    await expect.poll(() => lines.filter(line => line.startsWith('ack ')).length).toBeGreaterThanOrEqual(changes)
  }
  await pause(milliseconds)
  const endings = await Promise.all(writers.map(writer => writer.kill()))
  for (const { signal, stderr } of endings) expect(signal, stderr).toBe('SIGKILL')
  return writers.map(({ lines }) => lines)
}

/** What a crash leaves: a file that no row names yet or any more, and the directories made for it. */
async function expectOnlyLeftovers(cache: DiskCache): Promise<void> {
  const found = await cache.check()
  expect(found.filter(({ kind }) => kind !== 'unknown-file' && kind !== 'empty-directory')).toEqual([])
}

async function expectWhole(cache: DiskCache): Promise<number> {
  let seen = 0
  for await (const [key, value] of cache.entries({ includeExpired: true })) {
    sequenceOf(String(key), value)
    seen += 1
  }
  return seen
}

async function expectRepairable(cache: DiskCache): Promise<void> {
  await cache.check({ fix: true })
  expect(kindsOf(await cache.check())).toEqual([])
}

describe.each(KINDS)('kill -9 of processes that write to a %s', kind => {
  it('loses no acknowledged write, tears none and leaves nothing but unknown files', async () => {
    const { seed, random } = printedSeed(`kill ${kind}`)
    const directory = temporaryDirectory()
    const options = optionsOf(kind, { evictionPolicy: 'none' })
    const ledger = new Ledger()
    for (let round = 0; round < ROUNDS; round += 1) {
      const told = await crash({ kind, directory, options, round, seed, changes: 10, milliseconds: random() * 500 })
      for (const lines of told) ledger.read(lines)
      expect(told.flat().filter(line => line.startsWith('error'))).toEqual([])
      const cache = cacheOf(kind, directory, options)
      await expectOnlyLeftovers(cache)
      await expectKept(cache, ledger)
      await expectWhole(cache)
      await expectRepairable(cache)
      await cache.close()
    }
    expect(ledger.keys().length).toBeGreaterThan(20)
  })

  it('leaves whole entries and right totals while the cache evicts and counts', async () => {
    const { seed, random } = printedSeed(`kill ${kind} bounded`)
    const directory = temporaryDirectory()
    const options = optionsOf(kind, { sizeLimit: 600_000, evictionPolicy: 'least-recently-used', statistics: true })
    for (let round = 0; round < ROUNDS; round += 1) {
      await crash({ kind, directory, options, round, seed, changes: 10, milliseconds: random() * 400 })
      const cache = cacheOf(kind, directory, options)
      await expectOnlyLeftovers(cache)
      await expectWhole(cache)
      await expectRepairable(cache)
      expect(await cache.set('after', 'written')).toBe(true)
      expect(await cache.get('after')).toBe('written')
      await cache.delete('after')
      await cache.close()
    }
  })

  it('leaves a directory that opens when the crash is in its making', async () => {
    const { seed, random } = printedSeed(`kill ${kind} opening`)
    for (let round = 0; round < 4; round += 1) {
      const directory = temporaryDirectory()
      const options = optionsOf(kind)
      await crash({ kind, directory, options, round, seed, changes: 0, milliseconds: random() * 25 })
      const cache = cacheOf(kind, directory, options)
      expect(await cache.set('after', checkedValue('after', 1, 40_000))).toBe(true)
      await expectOnlyLeftovers(cache)
      expect(await expectWhole(cache)).toBeGreaterThan(0)
      await expectRepairable(cache)
      await cache.close()
    }
  })
})

async function expectKept(cache: DiskCache, ledger: Ledger): Promise<void> {
  for (const key of ledger.keys()) {
    const value = await cache.get(key)
    const sequence = value === undefined ? 0 : sequenceOf(key, value)
    expect(ledger.possible(key), `state of ${key}`).toContain(sequence)
    ledger.settle(key, sequence)
  }
}
