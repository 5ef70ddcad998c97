import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf, KINDS, kindsOf, optionsOf } from './support/caches.js'
import { LockHolder } from './support/lock-holder.js'

const SCRIPT = new URL('./fixtures/lifetime.mjs', import.meta.url)
const OPTIONS = { evictionPolicy: 'least-recently-used', statistics: true } as const

describe.each(KINDS)('a process that has a %s open', kind => {
  it('ends by itself when its writes are made, awaited or not', async () => {
    const directory = temporaryDirectory()
    const child = new FixtureProcess(SCRIPT, { kind, directory, options: optionsOf(kind, OPTIONS), act: 'write' })
    expect(await child.done()).toContain('dry')
    const cache = cacheOf(kind, directory, OPTIONS)
    const values = await cache.getMany(Array.from({ length: 100 }, (_, key) => key))
    expect(values).toEqual(values.map((_, key) => `value ${key}`))
    expect(await cache.get(100)).toBe('F'.repeat(40_000))
    expect(String(await cache.get(101))).toBe('streamed')
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('stays alive while its writes wait for a lock', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory, OPTIONS)
    await cache.open()
    await cache.set('first', 1)
    const holder = await LockHolder.holding(kind, directory)
    const child = new FixtureProcess(SCRIPT, { kind, directory, options: optionsOf(kind, OPTIONS), act: 'write' })
    const reader = new FixtureProcess(SCRIPT, { kind, directory, options: optionsOf(kind, OPTIONS), act: 'read' })
    // The one that only reads is through, and ends: no timer of upkeep keeps it, nor do marks that cannot be written.
    expect(await reader.done()).toEqual(['read', 'dry'])
    expect(child.lines).toEqual([])
    await holder.free()
    await child.done()
    expect(await cache.get(99)).toBe('value 99')
  })

  it('exits with its own code while a check waits for a lock', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory, OPTIONS)
    await cache.set('first', 1)
    const holder = await LockHolder.holding(kind, directory)
    const child = new FixtureProcess(SCRIPT, { kind, directory, options: optionsOf(kind, OPTIONS), act: 'exit' })
    expect(await child.ended).toMatchObject({ code: 7, signal: null, stderr: '' })
    expect(child.lines).toEqual([])
    await holder.free()
  })

  it('ends by itself after reads, without a close', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory, OPTIONS)
    for (let key = 0; key < 100; key += 1) await cache.set(key, key)
    const child = new FixtureProcess(SCRIPT, { kind, directory, options: optionsOf(kind, OPTIONS), act: 'read' })
    expect(await child.done()).toEqual(['read', 'dry'])
  })
})
