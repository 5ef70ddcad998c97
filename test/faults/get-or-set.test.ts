import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf, KINDS, kindsOf, optionsOf } from './support/caches.js'
import { Computers, KEY, runnerOf, sendAll, valuesOf } from './support/computers.js'
import { printedSeed } from './support/random.js'

const INVALIDATOR = new URL('./fixtures/invalidator.mjs', import.meta.url)

describe.each(KINDS)('getOrSet() of many processes on a %s', kind => {
  // Fifty take their time to start: where there are several databases, eight show what is theirs.
  const many = kind === 'Cache' ? 50 : 8
  it(`runs the function once for ${many} processes that ask for a cold key`, async () => {
    const computers = await Computers.on(kind)
    const processes = await computers.start(many, 'wait')
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
    const processes = await computers.start(8, 'wait', { lease: '2s' })
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
    const runner = await computers.computing('wait', { lease: 2000 })
    const [other] = await computers.start(1, 'wait', { lease: 2000 })
    other?.send('go')
    await other?.line('asking')
    const began = computers.leaseEnd()
    // When it would have ended it is still extended.
    await expect.poll(() => computers.leaseEnd() - began, { interval: 50 }).toBeGreaterThan(2.1)
    expect(computers.computed()).toEqual([runner.pid])
    runner.send('finish')
    const answers = await valuesOf(other ? [runner, other] : [])
    expect(new Set(answers)).toEqual(new Set([`value made by ${runner.pid}`]))
    expect(computers.computed()).toEqual([runner.pid])
  })

  it('lets another take over when a process is held up past its lease, and keeps the newer value', async () => {
    const computers = await Computers.on(kind)
    const late = await computers.computing('hold', { lease: 300 })
    const others = await computers.start(3, 'answer', { lease: '1m' })
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
    const taker = await computers.computing('wait', { lease: '1m' })
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
  it('answers and keeps nothing that was computed before the key was deleted', async () => {
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
