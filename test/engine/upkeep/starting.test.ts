import { execFile } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Cache, FanoutCache, ReadonlyError, startUpkeep, type UpkeepOptions } from 'fanout-cache'
import { diskStore } from 'fanout-cache/cache-manager'
import { responseCache, sendFile } from 'fanout-cache/express'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv'
import { collectMetrics } from 'fanout-cache/prom-client'
import { Registry } from 'prom-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { rawDatabase } from '../../helpers/raw-database.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

/** The tokens of who leads in a directory, as the shard has it. */
function leaders(directory: string): string[] {
  const db = rawDatabase(directory)
  if (db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'Lease'").get() === undefined) return []
  return db.prepare("SELECT token FROM Lease WHERE name = 'upkeep:'").pluck().all() as string[]
}

function opened(directory = temporaryDirectory(), readonly = false): FanoutCache {
  const cache = new FanoutCache(directory, { readonly })
  onTestFinished(() => cache.close())
  return cache
}

describe('startUpkeep', () => {
  const misuse: readonly (readonly [string, unknown, typeof RangeError | typeof TypeError, RegExp])[] = [
    ['an unknown option', { evry: 5 }, TypeError, /upkeep: unknown option evry; did you mean every\?/],
    ['no object', 5, TypeError, /upkeep: options must be an object, got 5/],
    ['a round without a pause', { every: 0 }, RangeError, /upkeep\.every .*got 0/],
    ['an endless pause', { every: Number.POSITIVE_INFINITY }, RangeError, /upkeep\.every/],
    ['what is no duration', { every: 'soon' }, RangeError, /upkeep\.every .*'soon'/],
    ['a lease that nobody can keep', { lease: 10 }, RangeError, /upkeep\.lease .*got 10/],
    ['a lease of another type', { lease: true }, TypeError, /upkeep\.lease/],
    ['a target beyond the limit', { target: 1.1 }, RangeError, /upkeep\.target .*got 1\.1/],
    ['a target below half of it', { target: 0.4 }, RangeError, /upkeep\.target .*got 0\.4/],
    ['a target that is no number', { target: '90%' }, TypeError, /upkeep\.target .*'90%'/],
  ]

  it.each(misuse)('objects to %s', (_title, options, error, message) => {
    const cache = opened()
    expect(() => startUpkeep(cache, options as UpkeepOptions)).toThrow(error)
    expect(() => startUpkeep(cache, options as UpkeepOptions)).toThrow(message)
    expect(() => responseCache(cache, { upkeep: options as UpkeepOptions })).toThrow(message)
  })

  it('objects to what is no cache, and to one that is read-only', async () => {
    expect(() => startUpkeep({} as Cache)).toThrow(/startUpkeep needs a Cache or FanoutCache/)
    const directory = temporaryDirectory()
    const writer = opened(directory)
    await writer.set('key', 1)
    await writer.close()
    const reader = new FanoutCache(directory, { readonly: true })
    expect(() => startUpkeep(reader)).toThrow(ReadonlyError)
  })

  it('is refused with other options than those of an upkeep that runs, and joins it with the same', async () => {
    const cache = opened()
    const first = startUpkeep(cache, { every: '1m' })
    await first.run()
    expect(() => startUpkeep(cache, { every: '2m', target: 0.95 })).toThrow(/with other options: upkeep\.every$/)
    const second = startUpkeep(cache.namespace('users'), { every: '1m' })
    const rounds = new Promise(resolve => second.on('round', resolve))
    expect(await second.run()).toEqual(await rounds)
    expect(first.isLeader && second.isLeader).toBe(true)
    await first.stop()
    expect([first.isLeader, second.isLeader]).toEqual([false, true])
    expect(await first.run()).toBeUndefined()
    expect(await second.run()).toBeDefined()
    await second.stop()
    expect(leaders(join(cache.directory, '000'))).toEqual([])
    expect(leaders(join(cache.directory, '007'))).toEqual([])
    const third = startUpkeep(cache, { every: '3m' })
    expect(await third.run()).toBeDefined()
  })

  it('objects to an event that does not exist, and names the nearest', () => {
    const upkeep = startUpkeep(opened())
    for (const verb of ['on', 'once', 'off'] as const) {
      expect(() => upkeep[verb]('rounds' as 'round', () => {})).toThrow(
        new TypeError("unknown event 'rounds'; did you mean round?"),
      )
    }
  })

  it('tells a listener of the next event only where it asked for once, and of none when it was taken away', async () => {
    const upkeep = startUpkeep(opened(), { every: '1h' })
    const heard: string[] = []
    const off = (): unknown => heard.push('off')
    upkeep.on('round', () => heard.push('on')).once('round', () => heard.push('once'))
    upkeep.on('round', off).off('round', off)
    await upkeep.run()
    const first = heard.length
    await upkeep.run()
    expect(heard.filter(name => name === 'once')).toEqual(['once'])
    expect(heard.slice(first)).toContain('on')
    expect(heard).not.toContain('off')
  })

  it('ends with the block of `await using`', async () => {
    const cache = opened()
    {
      await using upkeep = startUpkeep(cache)
      await upkeep.run()
      expect(leaders(join(cache.directory, '000'))).toHaveLength(1)
    }
    expect(leaders(join(cache.directory, '000'))).toEqual([])
  })

  it('leaves no lease when it is stopped while it begins', async () => {
    const cache = await opened().open()
    await startUpkeep(cache).stop()
    expect(leaders(join(cache.directory, '000'))).toEqual([])
  })

  it('tells the end of its work to who has joined it, too', async () => {
    const cache = await opened().open()
    const first = startUpkeep(cache)
    await first.run()
    const joined = startUpkeep(cache)
    const seen: boolean[] = []
    joined.on('lead', leader => seen.push(leader))
    await joined.stop()
    expect(seen).toEqual([false])
    expect(first.isLeader).toBe(true)
  })

  it('counts what has expired among the figures of the cache', async () => {
    const cache = opened()
    const register = new Registry()
    const metrics = collectMetrics(cache, { register, name: 'kept' })
    onTestFinished(() => metrics.stop())
    const upkeep = startUpkeep(cache, { every: '1h' })
    await upkeep.run()
    await cache.setMany(Array.from({ length: 30 }, (_, at) => [at, at, { ttl: 1 }] as const))
    await expect
      .poll(async () => {
        await upkeep.run()
        return cache.count()
      })
      .toBe(0)
    expect(await register.metrics()).toMatch(/fanout_cache_expirations_total\{cache="kept"\} 30$/m)
  })

  it('tells of a directory that cannot be opened as an error of the cache, and tries again', async () => {
    const file = join(temporaryDirectory(), 'file')
    writeFileSync(file, '')
    const cache = new FanoutCache(join(file, 'below'), { shards: 1 })
    const register = new Registry()
    const metrics = collectMetrics(cache, { register, name: 'unopened' })
    const errors: Error[] = []
    cache.on('error', error => errors.push(error))
    const upkeep = startUpkeep(cache, { every: 20 })
    expect(await upkeep.run()).toBeUndefined()
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_CACHE_DIRECTORY' })])
    expect(await register.metrics()).toContain('fanout_cache_errors_total{cache="unopened"} 1\n')
    rmSync(file)
    await expect.poll(() => upkeep.isLeader, { timeout: 30_000 }).toBe(true)
    metrics.stop()
    await cache.close()
  })

  it('works in a program that is given as text, and so does check()', async () => {
    const program = `
      import { Cache, startUpkeep } from 'fanout-cache'
      const cache = new Cache(${JSON.stringify(temporaryDirectory())})
      const round = await startUpkeep(cache).run()
      console.log(JSON.stringify([round?.expired, await cache.check()]))`
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
    expect([stdout, stderr]).toEqual(['[0,[]]\n', ''])
  })

  it('ends with its cache, and not with another one on the directory', async () => {
    const directory = temporaryDirectory()
    const [one, other] = [opened(directory), opened(directory)]
    await other.set('key', 1)
    const upkeep = startUpkeep(one)
    const seen: boolean[] = []
    upkeep.on('lead', leader => seen.push(leader))
    await upkeep.run()
    await one.close()
    expect(seen).toEqual([true, false])
    expect(upkeep.isLeader).toBe(false)
    expect(leaders(join(directory, '000'))).toEqual([])
    expect(await other.get('key')).toBe(1)
  })

  it('lets a listener throw without harm to its work and to closing', async () => {
    const program = `
      import { FanoutCache, startUpkeep } from 'fanout-cache'
      const uncaught = new Set()
      process.on('uncaughtException', ({ message }) => uncaught.add(message))
      const directory = ${JSON.stringify(temporaryDirectory())}
      const cache = new FanoutCache(directory, { shards: 1 })
      const errors = []
      cache.on('error', error => errors.push(error.message))
      const upkeep = startUpkeep(cache)
      upkeep.on('lead', leader => { throw new Error('lead ' + leader) })
      upkeep.on('round', () => { throw new Error('round') })
      const round = await upkeep.run()
      await cache.close()
      // The directory is open no more: it can be opened with other options.
      const again = await new FanoutCache(directory, { timeout: '5s' }).open()
      await again.close()
      console.log(JSON.stringify([round?.expired, errors, [...uncaught]]))`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
    // How many rounds there are depends on the machine: one begins with the thread, one is asked for.
    expect(JSON.parse(stdout)).toEqual([0, [], ['lead true', 'round', 'lead false']])
  })

  it('works in a directory that is made for it, and ends at once when it is stopped at once', async () => {
    const cache = opened(join(temporaryDirectory(), 'new'))
    await startUpkeep(cache).stop()
    const upkeep = startUpkeep(cache)
    expect(await upkeep.run()).toMatchObject({ expired: 0, evicted: 0, orphans: 0 })
    await Promise.all([upkeep.stop(), cache.close()])
  })
})

describe('the option upkeep of doors', () => {
  it('starts it once for all doors of a directory, and ends it with the last', async () => {
    const directory = temporaryDirectory()
    const keyv = createKeyv(directory, { upkeep: true })
    const store = diskStore({ directory, upkeep: { every: '5s' } })
    await Promise.all([keyv.set('key', 1), store.set('key', 2)])
    await expect.poll(() => leaders(join(directory, '000')).length).toBe(1)
    const before = leaders(join(directory, '000'))
    await keyv.disconnect()
    expect(leaders(join(directory, '000'))).toEqual(before)
    await store.disconnect()
    expect(leaders(join(directory, '000'))).toEqual([])
  })

  it('starts none where it is false', async () => {
    const directory = temporaryDirectory()
    const keyv = createKeyv(directory, { upkeep: false })
    await keyv.set('key', 1)
    await expect(keyv.get('key')).resolves.toBe(1)
    expect(leaders(join(directory, '000'))).toEqual([])
    await keyv.disconnect()
  })

  it('belongs to the door where the cache is given', async () => {
    const cache = opened()
    const store = new KeyvDiskStore({ cache, upkeep: true })
    await cache.open()
    await expect.poll(() => leaders(join(cache.directory, '000')).length).toBe(1)
    await store.disconnect()
    expect(leaders(join(cache.directory, '000'))).toEqual([])
    expect(await cache.set('key', 1)).toBe(true)
  })

  it('starts it for HTTP, until the cache is closed', async () => {
    const cache = opened()
    responseCache(cache, { upkeep: { lease: '15s' } })
    sendFile(cache, { key: () => 'key', upkeep: true })
    await cache.open()
    await expect.poll(() => leaders(join(cache.directory, '007')).length).toBe(1)
    await cache.close()
    expect(leaders(join(cache.directory, '000'))).toEqual([])
  })

  it('names what is wrong in it', () => {
    const directory = temporaryDirectory()
    expect(() => createKeyv({ directory, upkeep: { every: -1 } })).toThrow(/upkeep\.every/)
    expect(() => diskStore({ directory, upkep: true } as object)).toThrow(/did you mean upkeep\?/)
  })
})
