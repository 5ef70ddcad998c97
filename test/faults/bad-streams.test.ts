import { createReadStream, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { removeTree, temporaryDirectory } from '../helpers/temp-directory.js'
import { expectNoValueFiles } from '../helpers/value-files.js'
import { cacheOf, KINDS } from './support/caches.js'

const LARGE = Buffer.alloc(50_000)

type Source = Record<string, (at: { enqueue(chunk: unknown): void; error(reason: Error): void }) => void>

function webStream(source: Source): ReadableStream {
  return new ReadableStream(source)
}

/** Sources that fail; an error that nobody listens to would end the process. */
const FAILING: Readonly<Record<string, readonly [make: () => unknown, error: unknown]>> = {
  'of objects': [() => Readable.from([{ a: 1 }]), TypeError],
  'of numbers': [() => Readable.from([1, 2]), TypeError],
  'of bytes and then an object': [() => Readable.from(['a', {}], { objectMode: true }), TypeError],
  'of the web whose chunks are objects': [() => webStream({ start: at => at.enqueue({}) }), TypeError],
  'of the web that fails at once': [() => webStream({ pull: at => at.error(new Error('torn')) }), 'torn'],
  'that fails at once': [() => new Readable({ read: () => undefined }).destroy(new Error('torn')), 'torn'],
  'whose generator throws': [
    () =>
      Readable.from(
        (function* () {
          yield 'a'
          throw new Error('torn')
        })(),
      ),
    'torn',
  ],
}

describe.each(KINDS)('a %s that is given a stream', kind => {
  it.each(Object.entries(FAILING))('%s rejects and leaves nothing', async (_name, [make, error]) => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await cache.set('key', 'old', { retry: true })
    await expect(cache.set('key', make())).rejects.toThrow(error as Error)
    expect(await cache.get('key')).toBe('old')
    await expectNoValueFiles(directory)
  })

  it('of a missing file beside its directory rejects with the error of that file', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = cacheOf(kind, directory)
    const missing = createReadStream(`${directory}-input`)
    await expect(cache.set('key', missing)).rejects.toMatchObject({ code: 'ENOENT', path: `${directory}-input` })
  })

  it('of text, and of views of memory, stores their bytes', async () => {
    const cache = cacheOf(kind, temporaryDirectory())
    const chunks = ['é', new Uint16Array([0x4241]), new DataView(new Uint8Array([9, 67, 9]).buffer, 1, 1)]
    await cache.set('key', Readable.from(chunks), { retry: true })
    expect(await cache.get('key')).toEqual(Buffer.from('éABC'))
  })
})

describe.each(KINDS)('a %s whose directory a file has taken', kind => {
  it('destroys a stream for which it can make no file', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = cacheOf(kind, directory)
    await cache.open()
    removeTree(directory)
    writeFileSync(directory, 'in the way')
    const source = new Readable({ read: () => undefined })
    await expect(cache.set('key', source)).rejects.toMatchObject({ code: 'ERR_CACHE_DIRECTORY' })
    expect(source.destroyed).toBe(true)
  })

  it('rejects with the reason of a signal, and with nothing that nobody listens to', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = cacheOf(kind, directory)
    await cache.open()
    removeTree(directory)
    writeFileSync(directory, 'in the way')
    const lost: unknown[] = []
    const onLost = (error: unknown): number => lost.push(error)
    process.prependListener('unhandledRejection', onLost)
    const entries = [['a', LARGE] as const, ['b', LARGE] as const]
    await expect(cache.setMany(entries, { signal: AbortSignal.abort(new Error('given up')) })).rejects.toThrow(
      'given up',
    )
    await delay(100)
    process.off('unhandledRejection', onLost)
    expect(lost).toEqual([])
  })
})

describe.each(KINDS)('setMany() of a %s', kind => {
  it.each([
    ['bad options', [1, { ttl: -1 }], {}],
    ['too large a value', [Buffer.alloc(2 ** 21)], { sizeLimit: 2 ** 20 }],
  ])('leaves no file when a later entry has %s', async (_name, rest, options) => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory, options)
    const entries = [
      ['a', LARGE],
      ['b', ...rest],
    ] as unknown as readonly (readonly [string, unknown])[]
    const stored = await cache.setMany(entries).catch(() => [])
    if (stored[0] !== true) await expectNoValueFiles(directory)
    await expect.poll(() => filesBegun(directory)).toEqual([])
  })
})

/** What is being written, or was left. */
function filesBegun(directory: string): readonly string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return names.filter(name => name.includes('cache.db-tmp-'))
}
