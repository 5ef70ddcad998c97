import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { FanoutCache } from 'fanout-cache'
import { expect, it, onTestFinished } from 'vitest'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { expectClean, KINDS, openCache, openInPython, openShared, rows, withPython } from './support.js'

const SETTINGS = 'SELECT key, typeof(value), value FROM Settings ORDER BY key'
const SCHEMA = `SELECT type, name, tbl_name FROM sqlite_master ORDER BY type, name`
const PRAGMAS = ['user_version', 'application_id', 'encoding', 'page_size', 'auto_vacuum', 'journal_mode']

const shared = () => openShared(openCache)

withPython.each(KINDS)('the settings of a $kind', ({ kind, open, inPython }) => {
  it('lie in rows of the names, types and values that Python writes', async () => {
    const [ours, theirs] = [temporaryDirectory(), temporaryDirectory()]
    const python = startPython()
    await openInPython(python, theirs, inPython)
    await python.call(`cache.set('key', 'x' * 40000)`)
    await open(ours).set('key', 'x'.repeat(40_000))
    for (const shard of kind === 'Cache' ? [''] : ['000', '007']) {
      const written = await rows<[string, string, unknown]>(python, join(ours, shard), SETTINGS)
      expect(written).toEqual(await rows(python, join(theirs, shard), SETTINGS))
      const limit = written.find(([key]) => key === 'size_limit')
      expect(limit?.[1]).toBe(kind === 'Cache' ? 'integer' : 'real')
    }
  })

  it('and the schema are those of a directory that Python makes', async () => {
    const [ours, theirs] = [temporaryDirectory(), temporaryDirectory()]
    const python = startPython()
    await openInPython(python, theirs, inPython)
    await open(ours).set('key', 1)
    const shard = kind === 'Cache' ? '' : '003'
    expect(await rows(python, join(ours, shard), SCHEMA)).toEqual(await rows(python, join(theirs, shard), SCHEMA))
    for (const pragma of PRAGMAS) {
      const statement = `PRAGMA ${pragma}`
      const [written, made] = await Promise.all([ours, theirs].map(root => rows(python, join(root, shard), statement)))
      expect([pragma, written]).toEqual([pragma, made])
    }
  })

  it.each(['float("inf")', 'sys.maxsize', '1e30'])('have no limit where Python wants none: %s', async none => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(
      python,
      directory,
      inPython.replace(')', `, size_limit=${none}, disk_min_file_size=sys.maxsize)`),
    )
    const before = await rows(python, join(directory, kind === 'Cache' ? '' : '000'), SETTINGS)
    const cache = open(directory)
    expect((await cache.settings()).sizeLimit).toBeGreaterThanOrEqual(Number.MAX_SAFE_INTEGER)
    await cache.set('key', 'x'.repeat(100_000))
    expect(valueFiles(directory)).toEqual([])
    const after = await rows(python, join(directory, kind === 'Cache' ? '' : '000'), SETTINGS)
    expect(after.filter(([key]) => key !== 'count')).toEqual(before.filter(([key]) => key !== 'count'))
    expect(await python.call(`len(cache['key'])`)).toBe(100_000)
    await expectClean(cache, python)
  })

  it('are seen by Node when Python resets them', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory)
    await cache.set('key', 1)
    await openInPython(python, directory, inPython)
    const shards = kind === 'Cache' ? 1 : 8
    await python.call(`
      cache.reset('size_limit', 10 ** 7)
      cache.reset('cull_limit', 3)
      cache.reset('eviction_policy', 'least-recently-used')
      cache.reset('statistics', 1)
      cache.reset('disk_min_file_size', 100)
    `)
    expect(await cache.settings()).toMatchObject({
      sizeLimit: 10 ** 7 * shards,
      cullLimit: 3,
      evictionPolicy: 'least-recently-used',
      statistics: true,
      disk: { minFileSize: 100 },
    })
    await cache.set('file', 'x'.repeat(100))
    expect((await cache.info('file'))?.path).toBeDefined()
    await expectClean(cache, python)
  })

  it('are seen by Python when Node configures them', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, inPython)
    const cache = open(directory)
    const shards = kind === 'Cache' ? 1 : 8
    const changed = await cache.configure({
      sizeLimit: 80_000_000,
      cullLimit: 7,
      evictionPolicy: 'none',
      statistics: true,
      disk: { minFileSize: 1_000 },
      sqlite: { synchronous: 2, mmapSize: 0 },
    })
    expect(changed).toMatchObject({ sizeLimit: 80_000_000, cullLimit: 7, evictionPolicy: 'none' })
    const names = [
      'size_limit',
      'cull_limit',
      'eviction_policy',
      'statistics',
      'disk_min_file_size',
      'sqlite_synchronous',
    ]
    const seen = await python.call('[cache.reset(name) for name in names]', { names })
    expect(seen).toEqual([80_000_000 / shards, 7, 'none', 1, 1_000, 2])
    expect(await cache.settings()).toMatchObject({ sqlite: { synchronous: 2, mmapSize: 0 } })
    await expectClean(cache, python)
  })

  it('stay, with all entries, when each reopens what the other closed', async () => {
    const directory = temporaryDirectory()
    const long = 'x'.repeat(40_000)
    const options = { cullLimit: 5, evictionPolicy: 'least-frequently-used', tagIndex: true } as const
    const first = open(directory, options)
    await first.setMany([
      ['a', 1],
      ['b', long],
    ])
    await first.close()
    const python = startPython()
    for (const round of [1, 2]) {
      await openInPython(python, directory, inPython)
      expect(await python.call('[cache.cull_limit, cache.eviction_policy, cache.tag_index]')).toEqual([
        5,
        'least-frequently-used',
        1,
      ])
      await python.call(`cache.set('python', i * 'y' * 20000)`, { i: round })
      expect(await python.call('found(cache)')).toEqual([])
      await python.call('cache.close()')
      const cache = open(directory)
      expect(await cache.settings()).toMatchObject(options)
      expect(await cache.getMany(['a', 'b', 'python'])).toEqual([1, long, 'y'.repeat(20_000 * round)])
      expect(await cache.check()).toEqual([])
      await cache.close()
    }
  })
})

withPython('settings that only one side knows', () => {
  it('are left alone by Node', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, `Cache(directory, custom='kept', sqlite_temp_store=2, size_limit=2 ** 40)`)
    const cache = openCache(directory)
    await cache.set('key', 1)
    await cache.configure({ cullLimit: 4 })
    expect((await cache.settings()).sizeLimit).toBe(2 ** 40)
    await openInPython(python, directory)
    expect(await python.call('[cache.custom, cache.sqlite_temp_store, cache.cull_limit]')).toEqual(['kept', 2, 4])
  })

  it('do not keep Python from opening and working', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = openCache(directory, { maxItems: 100, disk: { unlinkGrace: '10s' } })
    await cache.set('key', 'x'.repeat(40_000))
    await openInPython(python, directory)
    await python.call(`
      cache.set('other', (1, None))
      cache.clear()
      cache.set('last', 1)
    `)
    expect(await cache.settings()).toMatchObject({ maxItems: 100, disk: { unlinkGrace: 10_000 } })
    await expectClean(cache, python)
  })

  it('such as an unknown policy of Python do not keep Node from reading and writing', async () => {
    const { cache, python, directory } = await shared()
    await rows(python, directory, `UPDATE Settings SET value = 'by-moonlight' WHERE key = 'eviction_policy'`)
    await cache.close()
    const reopened = openCache(directory)
    expect(await reopened.set('key', 1)).toBe(true)
    expect(await reopened.get('key')).toBe(1)
  })
})

withPython('a policy that Python sets by reset()', () => {
  it('is in force in Node before and after its index is made', async () => {
    const { cache, python, directory } = await shared()
    const indexes = `SELECT name FROM sqlite_master WHERE name = 'Cache_access_count'`
    await python.call(`cache.reset('eviction_policy', 'least-frequently-used')`)
    expect(await rows(python, directory, indexes)).toEqual([])
    await cache.set('key', 1)
    expect((await cache.settings()).evictionPolicy).toBe('least-frequently-used')
    await cache.get('key')
    await cache.close()
    expect((await cache.info('key'))?.accessCount).toBe(1)
    await cache.configure({ evictionPolicy: 'least-frequently-used' })
    await cache.cull()
    await expectClean(cache, python)
  })
})

withPython('files that are no values', () => {
  it.each(KINDS)('do not disturb the check of Python in a $kind', async ({ kind, open, inPython }) => {
    const directory = temporaryDirectory()
    const python = startPython()
    const cache = open(directory)
    await cache.set('key', Buffer.alloc(50_000))
    await openInPython(python, directory, inPython)
    const stream = new PassThrough()
    const stored = cache.set('stream', stream)
    stream.write(Buffer.alloc(200_000))
    const unfinished = (): number => valueFiles(directory).filter(path => path.includes('cache.db-tmp')).length
    await expect.poll(unfinished).toBe(1)
    expect(await python.call('found(cache)')).toEqual([])
    stream.end(Buffer.alloc(200_000))
    expect(await stored).toBe(true)
    expect((await cache.get<Buffer>('stream'))?.length).toBe(400_000)
    expect(unfinished()).toBe(0)
    // What is kept back for a full disk is laid aside a moment after the first write.
    const shard = kind === 'Cache' ? directory : join(directory, '003')
    await expect.poll(() => readdirSync(shard)).toContain('cache.db-reserve')
    await expectClean(cache, python)
    expect(await python.call('[str(warning.message) for warning in cache.check(fix=True)]')).toEqual([])
    expect(await cache.set('after', Buffer.alloc(50_000))).toBe(true)
    await expectClean(cache, python)
  })

  it('are reported, and left alone, by Node, also those of a Python that was stopped', async () => {
    const { cache, python, directory } = await shared()
    await python.call(`cache.disk.store(b'x' * 40000, False)`)
    const found = await cache.check()
    expect(found.map(({ kind }) => kind)).toEqual(['unknown-file'])
    expect(await python.call('[warning.split(":")[0] for warning in found(cache)]')).toEqual(['unknown file'])
    await cache.check({ fix: true })
    await cache.check({ fix: true })
    await expectClean(cache, python)
    expect(readdirSync(directory).filter(name => /^[0-9a-f]{2}$/.test(name))).toEqual([])
  })

  it('are not taken for a shard: a FanoutCache of Python is adopted with its number of shards', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, 'FanoutCache(directory, shards=3, timeout=60)')
    await python.call('[cache.set(i, i) for i in range(30)]')
    const cache = new FanoutCache(directory, { timeout: '1m' })
    onTestFinished(() => cache.close())
    expect(await cache.getMany(Array.from({ length: 30 }, (_, index) => index))).toEqual(
      Array.from({ length: 30 }, (_, index) => index),
    )
    await expectClean(cache, python)
  })
})
