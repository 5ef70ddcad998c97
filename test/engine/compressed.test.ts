import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'
import {
  Cache,
  type Codec,
  compressed,
  DecodeError,
  Deque,
  jsonCodec,
  pickleCodec,
  structuredCodec,
} from 'fanout-cache'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { clonable } from './disk/arbitraries.js'

const CLI = fileURLToPath(new URL('../../bin/fanout-cache.cjs', import.meta.url))
const COMPRESSED = 90
const TEXT = 'the same words again and again, '.repeat(200)

function opened(options: object, directory = temporaryDirectory()) {
  const cache = new Cache(directory, options)
  onTestFinished(() => cache.close())
  return cache
}

describe('compressed values', () => {
  it('take less room, and come back equal', async () => {
    const cache = opened({ codec: compressed() })
    const values = [TEXT, { text: TEXT, at: [1, null] }, Buffer.from(TEXT), new Map([['words', TEXT]])]
    for (const [key, value] of values.entries()) {
      await cache.set(key, value)
      expect(await cache.get(key)).toEqual(value)
      expect((await cache.info(key))?.size).toBeLessThan(TEXT.length / 10)
    }
  })

  it('are all that the codec can store', () => {
    const codec = compressed({ minSize: 0 })
    fc.assert(
      fc.property(clonable, value => {
        const { mode, data } = codec.encodeValue(value)
        expect(codec.decodeValue(mode, data)).toStrictEqual(structuredCodec.decodeValue(mode, data))
      }),
    )
  })

  it('have memory of their own when they are bytes', () => {
    const codec = compressed()
    const { mode, data } = codec.encodeValue(Buffer.alloc(2000))
    const value = codec.decodeValue(mode, data) as Buffer
    expect([mode, value.byteLength, value.buffer.byteLength]).toEqual([COMPRESSED, 2000, 2000])
  })

  it('are compressed to be stored, and not to be compared', async () => {
    const codec = compressed()
    let count = 0
    const encodeValue: Codec['encodeValue'] = value => {
      count++
      return codec.encodeValue(value)
    }
    const deque = new Deque(temporaryDirectory(), { codec: { ...codec, encodeValue } })
    onTestFinished(() => deque.close())
    await deque.append({ text: TEXT })
    expect([await deque.count({ text: TEXT }), await deque.count({ text: 'other' }), count]).toEqual([1, 0, 1])
  })

  it('are read by every codec', async () => {
    const directory = temporaryDirectory()
    const writer = opened({ codec: compressed({ codec: pickleCodec }) }, directory)
    await writer.set('set', new Set([TEXT]))
    await writer.set('file', noise(200_000))
    await writer.close()
    for (const codec of [structuredCodec, pickleCodec, compressed(), compressed({ quality: 5 })]) {
      const reader = opened({ codec }, directory)
      expect(await reader.get('set')).toEqual(new Set([TEXT]))
      expect(await reader.get('file')).toBe(noise(200_000))
      await reader.close()
    }
  })

  it('can be those of a codec of your own', async () => {
    const own = {
      ...structuredCodec,
      name: 'own',
      encodeValue: (value: unknown) => ({ mode: 200, data: `own ${value}` }),
      decodeValue: (mode: number, data: unknown) => [mode, data],
    }
    const cache = opened({ codec: compressed({ codec: own }) })
    await cache.set('a', TEXT)
    expect(await cache.get('a')).toEqual([200, `own ${TEXT}`])
    expect((await cache.info('a'))?.size).toBeLessThan(TEXT.length / 10)
  })

  it('are only those within the sizes given', () => {
    const { encodeValue } = compressed({ minSize: 100, maxSize: 200 })
    const modes = [99, 100, 200, 201].map(length => encodeValue('a'.repeat(length)).mode)
    expect(modes).toEqual([1, COMPRESSED, COMPRESSED, 1])
    expect(encodeValue(12).mode).toBe(1)
    expect(compressed().encodeValue('a'.repeat(2 ** 20)).mode).toBe(COMPRESSED)
    expect(compressed().encodeValue('a'.repeat(2 ** 20 + 1)).mode).toBe(1)
  })

  it('are only those that become smaller by an eighth', async () => {
    const bytes = randomBytes(100_000)
    const { mode, data } = compressed().encodeValue(bytes)
    expect([mode, bytes.equals(data as Buffer)]).toEqual([1, true])
    const text = randomBytes(3000).toString('base64').replaceAll('\n', '')
    expect(compressed().encodeValue(text).mode).toBe(COMPRESSED)
  })

  it('are smaller with a higher quality', () => {
    const words = Array.from({ length: 2000 }, (_, at) => `word ${(at * 7919) % 1000}`).join()
    const size = (quality: number) => (compressed({ quality }).encodeValue(words).data as Buffer).byteLength
    expect(size(9)).toBeLessThan(size(1))
  })

  it('are not in files that others read', async () => {
    const directory = temporaryDirectory()
    const cache = opened({ codec: compressed() }, directory)
    await cache.set('file', TEXT, { file: true })
    await cache.set('meta', { text: TEXT }, { meta: { type: 'application/json' } })
    await cache.transact(tx => tx.set('in a transaction', TEXT, { file: true }))
    for (const [key, bytes] of [
      ['file', TEXT],
      ['meta', JSON.stringify({ text: TEXT })],
      ['in a transaction', TEXT],
    ] as const) {
      const file = await cache.read(key)
      expect(String(await file?.bytes())).toBe(bytes)
      expect(file?.size).toBe(bytes.length)
    }
  })

  it('are streamed as they were', async () => {
    const cache = opened({ codec: compressed({ maxSize: 2 ** 22 }) })
    const text = noise(200_000)
    await cache.set('text', text)
    const file = await cache.read('text')
    const chunks = (await file?.stream({ start: 10, end: 99 }).toArray()) as Buffer[]
    expect(String(Buffer.concat(chunks))).toBe(text.slice(10, 100))
  })

  it('are read, exported and imported by the command line', async () => {
    const [from, to] = [temporaryDirectory(), `${temporaryDirectory()}/to`]
    const cache = opened({ codec: compressed() }, from)
    const values = { text: TEXT, object: { text: TEXT }, map: new Map([[1, TEXT]]), file: noise(200_000) }
    for (const [key, value] of Object.entries(values)) await cache.set(key, value)
    const run = (args: string[], input = ''): string =>
      String(execFileSync(process.execPath, [CLI, ...args], { input, maxBuffer: 2 ** 24 }))
    expect(run(['get', from, 'text'])).toBe(TEXT)
    run(['import', to, '--create'], run(['export', from]))
    const copy = opened({}, to)
    for (const [key, value] of Object.entries(values)) {
      expect(await copy.get(key)).toEqual(value)
      expect((await copy.info(key))?.size).toBe((await cache.info(key))?.size)
    }
    expect(await copy.check()).toEqual([])
  })

  it.each([
    ['no bytes', 'text'],
    ['nothing', Buffer.alloc(0)],
    ['no stream', Buffer.from([1, 1, 9, 9, 9])],
    ['a compressed value', compressed({ minSize: 0 }).encodeValue(TEXT).data],
    ['text that is none', Buffer.concat([Buffer.of(1, 1), brotliCompressSync(Buffer.of(0xff, 0xfe))])],
    ['more than was ever compressed', Buffer.concat([Buffer.of(1, 0), brotliCompressSync(Buffer.alloc(2 ** 26 + 1))])],
  ])('that were tampered with, and hold %s, are a DecodeError', async (what, tampered) => {
    const data =
      what === 'a compressed value'
        ? Buffer.concat([Buffer.of(COMPRESSED, 0), brotliCompressSync(tampered as Buffer)])
        : tampered
    const directory = temporaryDirectory()
    const cache = opened({}, directory)
    await cache.set('a', 1)
    rawDatabase(directory).prepare('UPDATE Cache SET mode = ?, value = ?').run(COMPRESSED, data)
    await expect(cache.get('a')).rejects.toThrow(DecodeError)
  })

  it('are the same for two caches of one process with the same options', async () => {
    const directory = temporaryDirectory()
    await opened({ codec: compressed({ quality: 2 }) }, directory).set('a', 1)
    expect(await opened({ codec: compressed({ quality: 2 }) }, directory).get('a')).toBe(1)
    for (const codec of [structuredCodec, compressed(), compressed({ quality: 2, codec: pickleCodec })]) {
      expect(() => opened({ codec }, directory)).toThrow(RangeError)
    }
  })

  it.each([
    [{ quality: 12 }, 'compressed: quality must be an integer from 0 to 11, got 12'],
    [{ minSize: -1 }, 'compressed: minSize must be an integer from 0 to 67108864, got -1'],
    [{ maxSize: 2 ** 27 }, 'compressed: maxSize must be an integer from 0 to 67108864, got 134217728'],
    [{ level: 1 }, 'compressed: unknown option level; known are codec, quality, minSize, maxSize'],
    [{ codec: jsonCodec }, 'compressed: jsonCodec compresses by itself'],
    [7, 'compressed: options must be an object, got 7'],
    [
      { codec: 'pickle' },
      "codec must be structuredCodec, jsonCodec, pickleCodec, compressed() or an object like them, got 'pickle'",
    ],
  ])('are refused with %j', (options, message) => {
    expect(() => compressed(options as never)).toThrow(message)
  })
})

/** Words in an order that no compressor foresees. */
function noise(length: number): string {
  let seed = 1
  let text = ''
  while (text.length < length) {
    seed = (seed * 48_271) % 2_147_483_647
    text += String.fromCharCode(97 + (seed % 26))
  }
  return text
}
