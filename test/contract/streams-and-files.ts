import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { runInNewContext } from 'node:vm'
import type { StoredFile } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { openFiles } from '../helpers/open-files.js'
import { expectNoValueFiles, valueFiles } from '../helpers/value-files.js'
import type { Subject } from './subjects.js'

const LARGE = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 31) % 256))

/** Values that come from streams, values that are files, and read. */
export function streamsAndFilesSuite(subject: Subject): void {
  describe('streams and files', () => {
    storing(subject)
    failing(subject)
    forced(subject)
    reading(subject)
    readingInline(subject)
    holding(subject)
  })
}

async function opened(file: Promise<StoredFile | undefined>): Promise<StoredFile> {
  const found = await file
  if (!found) throw new Error('expected a stored file')
  return found
}

function storing(subject: Subject): void {
  it('set() keeps what a Readable yields as a file of its bytes', async () => {
    const cache = subject.make()
    expect(await cache.set('key', Readable.from([Buffer.from('small '), Buffer.from('stream')]))).toBe(true)
    expect(await cache.get('key')).toEqual(Buffer.from('small stream'))
    expect(await cache.info('key')).toMatchObject({ size: 12, path: expect.any(String) })
  })

  it('set() keeps web streams and Blobs as files', async () => {
    const cache = subject.make()
    await cache.set('web', new Blob([LARGE]).stream())
    await cache.set('blob', new Blob(['text of ', 'a blob']))
    expect(await cache.get('web')).toEqual(LARGE)
    expect(await cache.get('blob')).toEqual(Buffer.from('text of a blob'))
    expect(valueFiles(cache.directory)).toHaveLength(2)
    expect(await cache.check()).toEqual([])
  })

  it('set() keeps a stream that yields text as utf-8, and one that yields nothing', async () => {
    const cache = subject.make()
    await cache.set('text', Readable.from(['grüße ', '😀']))
    await cache.set('empty', Readable.from([]))
    expect(await cache.get('text')).toEqual(Buffer.from('grüße 😀'))
    expect(await cache.get('empty')).toEqual(Buffer.alloc(0))
    expect(await cache.check()).toEqual([])
  })

  it('set() of a stream takes ttl, tags and metadata', async () => {
    const cache = subject.make()
    await cache.set('key', Readable.from([LARGE]), { ttl: '1h', tag: 'red', tags: ['a'], meta: { type: 'image/png' } })
    const info = await cache.info('key')
    expect(info).toMatchObject({ tag: 'red', tags: ['a'], meta: { type: 'image/png' }, expiresAt: expect.any(Number) })
  })

  it('add() of a stream stores it once', async () => {
    const cache = subject.make()
    expect(await cache.add('key', Readable.from([LARGE]))).toBe(true)
    expect(await cache.add('key', Readable.from(['other']))).toBe(false)
    expect(await cache.get('key')).toEqual(LARGE)
    expect(valueFiles(cache.directory)).toHaveLength(1)
  })
}

function failing(subject: Subject): void {
  it('set() rejects with the error of the stream, keeps the old value and leaves no file', async () => {
    const cache = subject.make()
    await cache.set('key', 'old')
    const broken = Readable.from(
      (async function* chunks() {
        yield LARGE
        throw new Error('source is gone')
      })(),
    )
    await expect(cache.set('key', broken)).rejects.toThrow('source is gone')
    expect(await cache.get('key')).toBe('old')
    await expectNoValueFiles(cache.directory)
    expect(await cache.check()).toEqual([])
  })

  it('set() rejects when the stream is destroyed before its end', async () => {
    const cache = subject.make()
    const stream = new Readable({ read: () => {} })
    stream.push('beginning')
    const stored = cache.set('key', stream)
    setImmediate(() => stream.destroy())
    await expect(stored).rejects.toThrow()
    expect(await cache.has('key')).toBe(false)
    await expectNoValueFiles(cache.directory)
  })

  it('set() rejects a stream that has been read already', async () => {
    const cache = subject.make()
    const stream = Readable.from(['once'])
    await text(stream)
    await expect(cache.set('key', stream)).rejects.toThrow()
    expect(await cache.has('key')).toBe(false)
  })

  it('set() of a stream stops when its signal is aborted', async () => {
    const cache = subject.make()
    const stream = new Readable({ read: () => {} })
    const controller = new AbortController()
    const stored = cache.set('key', stream, { signal: controller.signal })
    setImmediate(() => controller.abort(new Error('enough')))
    await expect(stored).rejects.toThrow('enough')
    expect(stream.destroyed).toBe(true)
    await expectNoValueFiles(cache.directory)
  })
}

function forced(subject: Subject): void {
  it('set() takes metadata that was made in another realm, as Jest runs tests in one', async () => {
    const cache = subject.make()
    await cache.set('key', 'value', { meta: runInNewContext('({ headers: { etag: "a" } })') })
    expect((await cache.info('key'))?.meta).toEqual({ headers: { etag: 'a' } })
  })

  it('set() with file or meta keeps a small value as a file and answers it unchanged', async () => {
    const cache = subject.make()
    const values: Record<string, unknown> = { text: 'grüße', number: 7, object: { a: [1] }, nothing: null }
    for (const [name, value] of Object.entries(values)) {
      await cache.set(name, value, { file: true })
      await cache.set(`${name} with meta`, value, { meta: { name } })
      for (const key of [name, `${name} with meta`]) {
        expect(await cache.get(key)).toEqual(value)
        const path = (await cache.info(key))?.path ?? ''
        expect(existsSync(join(cache.directory, path))).toBe(true)
      }
    }
    expect(await cache.check()).toEqual([])
  })
}

function reading(subject: Subject): void {
  it('read() returns undefined for a missing key', async () => {
    expect(await subject.make().read('nothing')).toBeUndefined()
  })

  it('read() returns the value as a stream and as bytes, with its description', async () => {
    const cache = subject.make()
    await cache.set('key', Readable.from([LARGE]), { tag: 'red', meta: { type: 'x' } })
    const file = await opened(cache.read('key'))
    expect(file).toMatchObject({ key: 'key', tag: 'red', tags: [], meta: { type: 'x' }, size: LARGE.length })
    expect(await buffer(file.stream())).toEqual(LARGE)
    expect(await (await opened(cache.read('key'))).bytes()).toEqual(LARGE)
  })

  it('read() closes its file when the stream has ended, is destroyed or fails', async () => {
    const cache = subject.make()
    await cache.set('key', Readable.from([LARGE]))
    await buffer((await opened(cache.read('key'))).stream())
    const destroyed = (await opened(cache.read('key'))).stream()
    destroyed.destroy()
    const failing = (await opened(cache.read('key'))).stream()
    failing.on('error', () => undefined).destroy(new Error('broken'))
    await expect.poll(() => openFiles(cache.directory)).toEqual([])
  })

  it('read() streams ranges with both ends included', async () => {
    const cache = subject.make()
    await cache.set('key', Readable.from([LARGE]))
    const part = async (range: { start?: number; end?: number }) =>
      buffer((await opened(cache.read('key'))).stream(range))
    expect(await part({ start: 0, end: 0 })).toEqual(LARGE.subarray(0, 1))
    expect(await part({ start: 100, end: 70_000 })).toEqual(LARGE.subarray(100, 70_001))
    expect(await part({ start: 199_990 })).toEqual(LARGE.subarray(199_990))
    expect(await part({ end: 9 })).toEqual(LARGE.subarray(0, 10))
  })

  it('read() streams nothing of a range beyond the end, of files as of values in the database', async () => {
    const cache = subject.make()
    await cache.set('inline', '0123456789')
    await cache.set('file', Readable.from(['0123456789']))
    await cache.set('empty', Readable.from([]))
    const ranges = { inline: { start: 10, end: 20 }, file: { start: 10, end: 20 }, empty: { start: 0, end: 5 } }
    for (const [key, range] of Object.entries(ranges)) {
      const file = await opened(cache.read(key))
      expect(await text(file.stream(range)), key).toBe('')
      await file.close()
    }
  })
}

function readingInline(subject: Subject): void {
  it('read() gives values in the database as bytes too: text as utf-8, numbers as text, objects as JSON', async () => {
    const cache = subject.make()
    await cache.set('text', 'grüße 😀')
    await cache.set('number', -7.5)
    await cache.set('object', { a: [1, 'ü'] })
    const bytes = async (key: string) => (await (await opened(cache.read(key))).bytes()).toString()
    expect(await bytes('text')).toBe('grüße 😀')
    expect(await bytes('number')).toBe('-7.5')
    expect(JSON.parse(await bytes('object'))).toEqual({ a: [1, 'ü'] })
    expect(await text((await opened(cache.read('text'))).stream({ start: 0, end: 1 }))).toBe('gr')
  })

  it('read() gives the same bytes whether a value lies in the database or in a file', async () => {
    const cache = subject.make()
    for (const value of ['text', 42, { a: 1 }, [true, null]]) {
      await cache.set('inline', value)
      await cache.set('file', value, { file: true })
      expect(await (await opened(cache.read('file'))).bytes()).toEqual(
        await (await opened(cache.read('inline'))).bytes(),
      )
    }
  })
}

function holding(subject: Subject): void {
  const removals: Record<string, (cache: ReturnType<Subject['make']>) => Promise<unknown>> = {
    'set()': cache => cache.set('key', 'other'),
    'delete()': cache => cache.delete('key'),
    'clear()': cache => cache.clear(),
    'evict()': cache => cache.evict('red'),
  }
  for (const [verb, remove] of Object.entries(removals)) {
    it(`read() keeps an open file readable after ${verb}`, async () => {
      const cache = subject.make()
      await cache.set('key', Readable.from([LARGE]), { tag: 'red' })
      const file = await opened(cache.read('key'))
      await remove(cache)
      await expectNoValueFiles(cache.directory)
      expect(await file.bytes()).toEqual(LARGE)
    })
  }

  it('read() can be closed unread, once or twice, also by dispose', async () => {
    const cache = subject.make()
    await cache.set('key', Readable.from([LARGE]))
    const file = await opened(cache.read('key'))
    await file.close()
    await file.close()
    await (await opened(cache.read('key')))[Symbol.asyncDispose]()
    await expect(file.bytes()).rejects.toThrow()
  })
}
