import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Cache, FanoutCache } from 'fanout-cache'
import { describe, expect, it, vi } from 'vitest'
import { peer } from '../helpers/peers.js'
import { runPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { exported, filesOf, importNew, rowsOf, run, until } from './transfer-support.js'

// Each test starts several processes.
vi.setConfig({ testTimeout: 120_000 })

const describeWithPython = peer('python') ? describe : describe.skip

describeWithPython('a directory of Python', () => {
  it('is carried to ours and back with all that pickles hold', async () => {
    const root = temporaryDirectory()
    const fill = `
      import collections, datetime
      c = diskcache.FanoutCache(d, shards=4)
      c.set(('user', 1), {'a': (1, 2), 'when': datetime.datetime(2020, 1, 2)}, tag='people')
      c.set('od', collections.OrderedDict(x=1), expire=3600)
      c.set(1.5, None); c.set(2**70, -0.0); c.set(b'k', 'long\\r\\n' * 9000); c.set('blob', b'x' * 70000, tag=b't')
      c.set('one', 1.0); c.set('set', {1, 2}); c.set('big', list(range(20000))); c.set('ever', 1, expire=float('inf'))
      c.close()`
    await runPython(fill, { d: join(root, 'python') })
    await importNew(join(root, 'ours'), await exported(join(root, 'python')))
    const ours = new FanoutCache(join(root, 'ours'))
    expect(await ours.get(Buffer.from('k'))).toHaveLength(54_000)
    await ours.set('added', 'by us')
    expect(await ours.check()).toEqual([])
    await ours.close()
    await importNew(join(root, 'back'), await exported(join(root, 'ours')), '--shards', '2')
    const compare = `
      a = diskcache.FanoutCache(d1, shards=4); b = diskcache.FanoutCache(d2, shards=2)
      return [len(a), len(b), found(b), [repr(k) for k in a if repr(a.get(k, tag=True)) != repr(b.get(k, tag=True))], b['added']]`
    const seen = await runPython(compare, { d1: join(root, 'python'), d2: join(root, 'back') })
    expect(seen).toEqual([10, 11, [], [], 'by us'])
  })

  it('takes in a stream while Python writes to it, and neither loses a thing', async () => {
    const root = temporaryDirectory()
    const directory = join(root, 'python')
    await runPython('c = diskcache.FanoutCache(d, shards=4); c.set("n", 0); c.close()', { d: directory })
    const bytes = Buffer.alloc(50_000, 7)
    const source = new Cache(join(root, 'source'))
    await source.setMany(Array.from({ length: 1000 }, (_, at) => [`i:${at}`, at % 20 === 0 ? bytes : at]))
    await source.close()
    const stream = await exported(join(root, 'source'))
    const writing = `
      import os
      c = diskcache.FanoutCache(d, shards=4); n = 0
      while not os.path.exists(d + '/../enough'):
          c.incr('n', retry=True); c.set(f'p:{n % 40}', b'p' * 40000 if n % 2 else n, retry=True); n += 1
          if n == 20: open(d + '/../writing', 'w').close()
      c.close()
      return n`
    const writers = [runPython<number>(writing, { d: directory }), runPython<number>(writing, { d: directory })]
    await until('Python to write', () => existsSync(join(root, 'writing')))
    expect(await run(['import', directory, '--yes'], stream)).toMatchObject({ code: 0 })
    writeFileSync(join(root, 'enough'), '')
    const counts = await Promise.all(writers)
    const ours = new FanoutCache(directory)
    expect(await ours.get('n')).toBe((counts[0] ?? 0) + (counts[1] ?? 0))
    expect([await ours.get('i:20'), await ours.get('i:999'), await ours.check()]).toEqual([bytes, 999, []])
    await ours.close()
    const seen = 'c = diskcache.FanoutCache(d, shards=4); return [sum(f"i:{i}" in c for i in range(1000)), found(c)]'
    expect(await runPython(seen, { d: directory })).toEqual([1000, []])
  })

  it('of JSONDisk keeps the bytes of its keys and values, and shows them with --codec json', async () => {
    const root = temporaryDirectory()
    await runPython(
      `
      c = diskcache.Cache(d, disk=diskcache.JSONDisk)
      c[['a', 1.0]] = {'x': [1, None]}; c['k'] = 'v' * 60000; c.close()`,
      { d: join(root, 'python') },
    )
    const shown = await exported(join(root, 'python'), '--codec', 'json')
    expect(shown).toContain('"value":{"x":[1,null]}')
    for (const [at, stream] of [shown, await exported(join(root, 'python'))].entries()) {
      const copy = join(root, `copy-${at}`)
      await importNew(copy, stream)
      expect(rowsOf(copy)).toEqual(rowsOf(join(root, 'python')))
      const seen = await runPython(
        "(lambda c: [c[['a', 1.0]], len(c['k']), found(c)])(diskcache.Cache(d, disk=diskcache.JSONDisk))",
        { d: copy },
      )
      expect(seen).toEqual([{ x: [1, null] }, 60_000, []])
    }
  })

  it('of a JSONDisk that compresses otherwise is found by Python again, and goes back to where it came from', async () => {
    const root = temporaryDirectory()
    const [from, copy] = [join(root, 'python'), join(root, 'copy')]
    const opened = 'diskcache.FanoutCache(d, shards=2, disk=diskcache.JSONDisk, disk_compress_level=6)'
    const text = 'a text that is long enough for levels to differ, '.repeat(9)
    await runPython(
      `
      c = ${opened}
      for i in range(20): c[[text, i]] = {'i': i}
      c.close()`,
      { d: from, text },
    )
    const stream = await exported(from)
    expect(JSON.parse(stream.split('\n')[0] ?? '')).toMatchObject({ codec: 'json', compressLevel: 6 })
    await importNew(copy, stream)
    const seen = `(lambda c: [sum([text, i] in c for i in range(20)), len(c), found(c)])(${opened})`
    expect(await runPython(seen, { d: copy, text })).toEqual([20, 20, []])
    // Also where it is there already, and from a stream that says nothing of a level.
    for (const again of [stream, stream.replace('"compressLevel":6,', '')]) {
      const ended = await run(['import', copy, '--yes', '--json'], again)
      expect(JSON.parse(ended.stdout)).toMatchObject({ stored: 0, replaced: 20 })
      expect(await runPython(seen, { d: copy, text })).toEqual([20, 20, []])
    }
    const before = filesOf(copy)
    expect(await run(['import', copy, '--yes'], stream.slice(0, -9))).toMatchObject({ code: 65 })
    expect(filesOf(copy)).toEqual(before)
    const other = await run(['import', copy, '--yes'], stream.replace('"codec":"json"', '"codec":"structured"'))
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('import with --codec json') })
  })
})
