import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { FanoutCache } from 'fanout-cache'
import { expect, it, onTestFinished, vi } from 'vitest'
import { EVENTUALLY } from '../helpers/patience.js'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { float } from '../helpers/wire.js'
import { expectClean, KINDS, openCache, openInPython, rows, withPython } from './support.js'

const TRIGGERS = `SELECT sql FROM sqlite_master WHERE type = 'trigger'`

withPython('a database that Python made', () => {
  it.each(KINDS)('is written by Node while Python keeps its $kind open', async ({ open, inPython }) => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, inPython)
    await python.call(`cache.set('python', 1)`)
    const cache = open(directory)
    expect(await cache.set('node', 2)).toBe(true)
    await python.call(`
      cache['after'] = 3
      cache['python'] = 'x' * 50000
      del cache['node']
    `)
    expect(await cache.getMany(['python', 'node', 'after'])).toEqual(['x'.repeat(50_000), undefined, 3])
    expect([await cache.count(), await python.call('len(cache)')]).toEqual([2, 2])
    await expectClean(cache, python)
  })

  it('keeps its triggers until the first write, and five of the same names afterwards', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory)
    const names = `SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name`
    const before = await rows<[string]>(python, directory, names)
    const cache = openCache(directory)
    expect(await cache.get('nothing')).toBe(undefined)
    expect((await rows<[string]>(python, directory, TRIGGERS)).every(([sql]) => sql.includes('"'))).toBe(true)
    await cache.set('key', 'value')
    expect((await rows<[string]>(python, directory, TRIGGERS)).some(([sql]) => sql.includes('"'))).toBe(false)
    expect(await rows<[string]>(python, directory, names)).toEqual(before)
    expect(before).toHaveLength(5)
  })

  it('is written by the first calls even if one of them fails', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory)
    await python.call(`cache.set('text', 'no number')`)
    const cache = openCache(directory)
    const calls = await Promise.allSettled([cache.set('a', 1), cache.incr('text'), cache.set('b', 2)])
    expect(calls.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await cache.getMany(['a', 'text', 'b'])).toEqual([1, 'no number', 2])
    await expectClean(cache, python)
  })

  it('is read, and not changed, by a readonly cache', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory)
    await python.call(`cache.set('key', [1, None, 'x'])`)
    const cache = openCache(directory, { readonly: true })
    expect(await cache.get('key')).toEqual([1, null, 'x'])
    await expect(cache.set('key', 1)).rejects.toMatchObject({ name: 'ReadonlyError' })
    expect((await rows<[string]>(python, directory, TRIGGERS)).every(([sql]) => sql.includes('"'))).toBe(true)
    expect(await python.call('found(cache)')).toEqual([])
  })

  it('holds 1 and 1.0 as one row of a Cache, under the key that was stored first', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory)
    await python.call('cache.set(key, "Python")', { key: float('1.0') })
    const cache = openCache(directory)
    expect(await cache.get(1)).toBe('Python')
    await cache.set(1, 'Node')
    expect(await python.call('[cache[1], cache[1.0], [type(key).__name__ for key in cache]]')).toEqual([
      'Node',
      'Node',
      ['float'],
    ])
    expect(await cache.count()).toBe(1)
  })

  it('passes the row of a NaN key by', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory)
    await python.call('cache.set(key, 1)', { key: float('nan') })
    const cache = openCache(directory)
    await cache.set('key', 'value')
    const keys: unknown[] = []
    for await (const key of cache.keys()) keys.push(key)
    expect(keys).toContain('key')
    expect(await cache.clear()).toBe(2)
  })

  it.each(KINDS)('is a working $kind when Node and Python create it at the same time', async ({ open, inPython }) => {
    const directory = temporaryDirectory()
    const python = startPython()
    // So that the interpreter is up and both begin together.
    await python.call('None')
    const made = openInPython(python, directory, inPython)
    const cache = open(directory)
    const keys = Array.from({ length: 32 }, (_, index) => `key ${index}`)
    expect(await cache.setMany(keys.map(key => [key, 'Node']))).toEqual(keys.map(() => true))
    await made
    expect(await python.call('[cache[key] for key in keys]', { keys })).toEqual(keys.map(() => 'Node'))
    await expectClean(cache, python)
  })

  it('is adopted with all its shards while Python is still making them', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const made = openInPython(python, directory, 'FanoutCache(directory, shards=8, timeout=60)')
    await vi.waitUntil(() => existsSync(join(directory, '000', 'cache.db')), { ...EVENTUALLY, interval: 1 })
    const cache = new FanoutCache(directory, { timeout: '1m' })
    onTestFinished(() => cache.close())
    const keys = Array.from({ length: 64 }, (_, index) => index)
    await cache.setMany(keys.map(key => [key, key]))
    await made
    expect(await python.call('[cache.get(key) for key in keys]', { keys })).toEqual(keys)
    await expectClean(cache, python)
  })

  it.each([
    { shards: 3, second: 0, third: 0.5 },
    { shards: 3, second: 0, third: 2.5 },
    { shards: undefined, second: 0.15, third: 0.35 },
  ])('is waited for while Python makes its shards slowly, the third in $third s, with shards: $shards', async row => {
    const { shards, second, third } = row
    const directory = temporaryDirectory()
    const python = startPython()
    const make = (shard: string, after = 0): Promise<void> =>
      openInPython(python, directory, `(time.sleep(${after}), Cache(directory + '/${shard}'))[1]`)
    await make('000')
    await make('001', second)
    const cache = new FanoutCache(directory, shards === undefined ? {} : { shards })
    onTestFinished(() => cache.close())
    await Promise.all([cache.open(), make('002', third)])
    await expectShards(directory, 3)
  })

  it('is waited for while its last shard is unfinished', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, `Cache(directory + '/000')`)
    // The triggers are the last that Python makes.
    await python.call(`cache._sql('DROP TRIGGER Settings_size_delete')`)
    const cache = new FanoutCache(directory)
    onTestFinished(() => cache.close())
    const finish = `(time.sleep(1), open(directory + '/finishes', 'w').close(), Cache(directory + '/000'))[2]`
    const finished = openInPython(python, directory, finish)
    await cache.open()
    expect(existsSync(join(directory, 'finishes'))).toBe(true)
    await finished
  })

  it('is not waited for when it was begun before the clock was set back', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, `Cache(directory + '/000')`)
    await python.call(`cache._sql('DROP TRIGGER Settings_size_delete')`)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 })
    onTestFinished(() => void vi.useRealTimers())
    const cache = new FanoutCache(directory)
    onTestFinished(() => cache.close())
    await cache.open()
    expect(await cache.set('key', 1)).toBe(true)
  })
})

async function expectShards(directory: string, shards: number): Promise<void> {
  expect(() => new FanoutCache(directory, { shards: shards - 1 })).toThrow(RangeError)
  await new FanoutCache(directory, { shards }).close()
}
