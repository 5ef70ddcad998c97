import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type Codec, jsonCodec, pickleCodec, structuredCodec } from 'fanout-cache'
import { expect, it } from 'vitest'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { VALUES } from './samples.js'
import { expectClean, openCache, openInPython, rows, withPython } from './support.js'

const BYTES = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 251))
const VALUE_FILE = /^[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{28}\.val$/

async function shared(codec?: Codec, inPython?: string) {
  const directory = temporaryDirectory()
  const python = startPython()
  const cache = openCache(directory, codec && { codec })
  await cache.open()
  await openInPython(python, directory, inPython)
  return { cache, python, directory }
}

withPython('value files that Node wrote', () => {
  it('are found by Python under the path that info() tells', async () => {
    const { cache, python, directory } = await shared()
    await cache.set('bytes', BYTES)
    await cache.set('text', 'y'.repeat(40_000))
    await cache.set('stream', Readable.from([BYTES, BYTES]))
    await cache.set('small', Buffer.from('abc'), { file: true })
    await cache.set('small text', 'abc', { file: true })
    for (const key of ['bytes', 'stream', 'small']) {
      const info = await cache.info(key)
      expect(info?.path).toMatch(VALUE_FILE)
      const read = 'with cache.read(key) as reader:\n    return [reader.name, reader.read()]'
      const [name, content] = await python.call<[string, Buffer]>(read, { key })
      expect(name).toBe(join(directory, info?.path ?? ''))
      expect(content).toEqual(readFileSync(name))
      expect(info?.size).toBe(content.length)
    }
    expect(await python.call(`[cache[key] for key in ('bytes', 'text', 'stream')]`)).toEqual([
      BYTES,
      'y'.repeat(40_000),
      Buffer.concat([BYTES, BYTES]),
    ])
    expect(await python.call(`[cache['small'], cache['small text']]`)).toEqual([Buffer.from('abc'), 'abc'])
    expect((await cache.info('small text'))?.path).toMatch(VALUE_FILE)
    await expectClean(cache, python)
  })

  it.each([structuredCodec, pickleCodec])(
    'hold every native value, for Python to read, with codec $name',
    async codec => {
      const { cache, python } = await shared(codec)
      for (const { title, node } of VALUES) await cache.set(title, node, { file: true })
      const keys = VALUES.map(({ title }) => title)
      expect(await python.wire('[cache[key] for key in keys]', { keys })).toEqual([
        'list',
        VALUES.map(({ python: wire }) => wire),
      ])
      expect(await cache.getMany(keys)).toEqual(VALUES.map(({ node }) => node))
      for (const key of keys) expect((await cache.info(key))?.path, key).toMatch(VALUE_FILE)
      expect(await python.call('[cache.pop(key) for key in keys[:3]]', { keys })).toEqual([0, 1, -1])
      await expectClean(cache, python)
    },
  )

  it('hold every value of JSON, for JSONDisk to read', async () => {
    const { cache, python } = await shared(jsonCodec, 'Cache(directory, disk=JSONDisk)')
    const values = [null, true, false, 0, -1, 1.5, 2 ** 40, 10n ** 30n, 'text', [1, 'two', null], { a: { b: [] } }]
    for (const [key, value] of values.entries()) await cache.set(key, value, { file: true })
    expect(await python.call('[cache[key] for key in range(count)]', { count: values.length })).toEqual(values)
    expect(await cache.getMany(values.keys())).toEqual(values)
    await expectClean(cache, python)
  })

  it('go, with their directories, when Python replaces, deletes, pops or expires them', async () => {
    const { cache, python, directory } = await shared()
    for (const key of ['a', 'b', 'c', 'd']) await cache.set(key, BYTES)
    expect(valueFiles(directory)).toHaveLength(4)
    await python.call(`cache.set('a', 'short')`)
    await python.call(`cache.delete('b')`)
    expect(await python.call(`cache.pop('c')`)).toEqual(BYTES)
    await python.call(`
      cache.touch('d', expire=-1)
      cache.expire()
    `)
    expect(valueFiles(directory)).toEqual([])
    await expectClean(cache, python)
  })

  it('are misses on both sides when they are gone', async () => {
    const { cache, python, directory } = await shared()
    await cache.set('key', BYTES)
    await python.call('os.remove(os.path.join(directory, path))', { directory, path: (await cache.info('key'))?.path })
    expect(await cache.get('key')).toBe(undefined)
    expect(await python.call(`cache.get('key', 'missing')`)).toBe('missing')
    expect(await python.call(`[warning.split(':')[0] for warning in found(cache)]`)).toContain('file not found')
    await cache.check({ fix: true })
    await expectClean(cache, python)
  })
})

withPython('value files that Python wrote', () => {
  it('are read by Node, whole, as a stream and by their path', async () => {
    const { cache, python, directory } = await shared()
    await python.call(
      `
      import io
      cache['bytes'] = content
      cache['text'] = 'y' * 40000
      cache['pickle'] = ['z'] * 40000
      cache.set('read', io.BytesIO(content), read=True)
      `,
      { content: BYTES },
    )
    expect(await cache.getMany(['bytes', 'text', 'read'])).toEqual([BYTES, 'y'.repeat(40_000), BYTES])
    expect(await cache.get('pickle')).toEqual(Array.from({ length: 40_000 }, () => 'z'))
    const stored = await cache.read('read')
    expect(stored?.path).toMatch(VALUE_FILE)
    expect(stored?.size).toBe(BYTES.length)
    expect(readFileSync(join(directory, stored?.path ?? ''))).toEqual(BYTES)
    expect(await stored?.bytes()).toEqual(BYTES)
    const part: Buffer[] = []
    for await (const chunk of (await cache.read('bytes'))?.stream({ start: 100, end: 199 }) ?? []) part.push(chunk)
    expect(Buffer.concat(part)).toEqual(BYTES.subarray(100, 200))
  })

  it('go, with their directories, when Node replaces, deletes, pops or expires them', async () => {
    const { cache, python, directory } = await shared()
    await python.call('[cache.set(key, content) for key in "abcd"]', { content: BYTES })
    const paths = await rows<[string]>(python, directory, 'SELECT filename FROM Cache')
    await cache.set('a', 'short')
    await cache.delete('b')
    expect(await cache.pop('c')).toEqual(BYTES)
    await cache.touch('d', { ttl: 0 })
    await cache.expire()
    expect(valueFiles(directory)).toEqual([])
    expect(paths.filter(([path]) => existsSync(join(directory, path.slice(0, 2))))).toEqual([])
    await expectClean(cache, python)
  })

  it('stay readable in Node while Python replaces them', async () => {
    const { cache, python } = await shared()
    await python.call(`cache.set('key', content)`, { content: BYTES })
    const stored = await cache.read('key')
    await python.call(`cache.set('key', 'new')`)
    expect(await stored?.bytes()).toEqual(BYTES)
    expect(await cache.get('key')).toBe('new')
  })

  it('are found when their names are separated by backslashes', async () => {
    const { cache, python, directory } = await shared()
    await python.call(`cache.set('key', content)`, { content: BYTES })
    await rows(python, directory, `UPDATE Cache SET filename = replace(filename, '/', char(92))`)
    expect(await cache.get('key')).toEqual(BYTES)
  })
})

withPython('metadata beside a value file', () => {
  it('leaves the bytes to Python, and both checks clean', async () => {
    const { cache, python } = await shared()
    const meta = { type: 'text/plain', headers: { etag: '"1"' }, list: [1, null, true] }
    await cache.set('bytes', BYTES, { meta })
    await cache.set('small', Buffer.from('abc'), { meta })
    await cache.set('stream', Readable.from([BYTES]), { meta })
    expect(await python.call(`[cache['bytes'], cache['small'], cache['stream']]`)).toEqual([
      BYTES,
      Buffer.from('abc'),
      BYTES,
    ])
    expect((await cache.info('bytes'))?.meta).toEqual(meta)
    await expectClean(cache, python)
    await python.call(`cache.touch('bytes', expire=1000)`)
    expect((await cache.getItem('bytes'))?.meta).toEqual(meta)
    await cache.touch('bytes', { meta: { type: 'image/png' } })
    expect(await python.call(`cache.pop('bytes')`)).toEqual(BYTES)
    await expectClean(cache, python)
  })

  it.each([structuredCodec, pickleCodec])('is never taken for the value by Python, with codec $name', async codec => {
    const { cache, python } = await shared(codec)
    for (const { title, node } of VALUES) await cache.set(title, node, { meta: { a: 1 } })
    const keys = VALUES.map(({ title }) => title)
    const read = await python.call<unknown[]>('[cache[key] for key in keys]', { keys })
    for (const [at, { title, node }] of VALUES.entries()) expect([node, null], title).toContainEqual(read[at])
    expect(await cache.getMany(keys)).toEqual(VALUES.map(({ node }) => node))
    await expectClean(cache, python)
  })

  it('goes when Python replaces the value', async () => {
    const { cache, python } = await shared()
    await cache.set('key', BYTES, { meta: { a: 1 } })
    await python.call(`cache.set('key', content)`, { content: BYTES })
    const item = await cache.getItem('key')
    expect(item?.value).toEqual(BYTES)
    expect(item?.meta).toBe(undefined)
  })
})
