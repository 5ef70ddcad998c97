import { mkdirSync, readdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { cacheOf, KINDS, kindsOf, shardsOf } from './support/caches.js'
import { LockHolder } from './support/lock-holder.js'

const REMOVER = new URL('./fixtures/remover.mjs', import.meta.url)
const LARGE = 'L'.repeat(40_000)
/** Even keys lie in the first database of two. */
const KEYS = Array.from({ length: 200 }, (_, at) => 2 * at)

/** Names of outer folders, of which every other one is free. */
function everyOther(): string[] {
  return Array.from({ length: 128 }, (_, at) => (2 * at).toString(16).padStart(2, '0'))
}

describe.each(KINDS)('the folders of the value files of a %s', kind => {
  it('are none that lead elsewhere', async () => {
    const directory = temporaryDirectory()
    const elsewhere = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await cache.open()
    const shard = join(directory, shardsOf(kind)[0] ?? '.')
    for (const name of everyOther()) symlinkSync(elsewhere, join(shard, name))
    for (const key of KEYS) expect(await cache.set(key, LARGE, { retry: true })).toBe(true)
    expect(await cache.getMany(KEYS)).toEqual(KEYS.map(() => LARGE))
    expect(readdirSync(elsewhere)).toEqual([])
  })

  it('are none in whose place stands a file of others', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await cache.open()
    const shard = join(directory, shardsOf(kind)[0] ?? '.')
    const [outer, inner] = [everyOther().slice(16), everyOther().slice(0, 16)]
    for (const name of outer) writeFileSync(join(shard, name), 'foreign')
    for (const name of inner) {
      mkdirSync(join(shard, name))
      for (let at = 0; at < 256; at += 1) writeFileSync(join(shard, name, at.toString(16).padStart(2, '0')), 'foreign')
    }
    for (const key of KEYS) expect(await cache.set(key, LARGE, { retry: true })).toBe(true)
    expect(await cache.getMany(KEYS)).toEqual(KEYS.map(() => LARGE))
  })

  it('are not left empty when the file for one is gone', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await cache.set(0, 'old', { retry: true })
    const holder = await LockHolder.holding(kind, directory)
    const writing = Promise.allSettled([cache.set(0, LARGE, { retry: true })])
    await expect.poll(() => valueFiles(directory).length, { interval: 5 }).toBe(1)
    for (const file of valueFiles(directory)) unlinkSync(file)
    await holder.free()
    expect(await writing).toMatchObject([{ reason: { code: 'ERR_CACHE_DIRECTORY' } }])
    expect(await cache.get(0)).toBe('old')
    expect(kindsOf(await cache.check())).toEqual([])
    expect(await cache.set(0, LARGE, { retry: true })).toBe(true)
  })

  it('are made again when another process removes each as soon as it is empty', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory, { timeout: '1m' })
    await cache.open()
    const remover = new FixtureProcess(REMOVER, { kind, directory, options: { timeout: '1m' }, keys: [0, 2] })
    await remover.line('ready')
    for (let round = 0; round < 500; round += 1) {
      const stored = await Promise.all([cache.set(0, LARGE, { retry: true }), cache.set(2, LARGE, { retry: true })])
      expect(stored).toEqual([true, true])
    }
    remover.send('stop')
    const ended = await remover.line('removed')
    expect(Number(ended.slice(8))).toBeGreaterThan(50)
    await remover.done()
    await cache.deleteMany([0, 2], { retry: true })
    expect(valueFiles(directory)).toEqual([])
    expect(kindsOf(await cache.check())).toEqual([])
  })
})
