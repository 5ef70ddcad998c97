import { createRequire } from 'node:module'
import { Cache, FanoutCache } from 'fanout-cache'
import { createKeyv, KeyvDiskStore } from 'fanout-cache/keyv'
import { KeyvDiskStore as KeyvDiskStore6 } from 'fanout-cache/keyv6'
import { Keyv, type KeyvOptions } from 'keyv'
import { Keyv as Keyv6 } from 'keyv6'
import { describe, expect, it, onTestFinished } from 'vitest'
import { collect } from '../helpers/collect.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

type Place = { readonly directory: string; readonly shards: number }

/** A fresh directory with one shard, which is opened in a fraction of the time of eight. */
function place(): Place {
  return { directory: temporaryDirectory(), shards: 1 }
}

/** Both ways in which a Keyv 5 gets a store of ours. */
const WAYS: Readonly<Record<string, (source: Place | string | Cache | FanoutCache, options?: KeyvOptions) => Keyv>> = {
  'new Keyv({ store })': (source, options) => new Keyv({ ...options, store: new KeyvDiskStore(source) }),
  createKeyv: (source, { ttl, namespace, throwOnErrors } = {}) =>
    createKeyv(source, { ttl, namespace, throwOnErrors } as never),
}

function ending<K extends { disconnect(): Promise<void> }>(keyv: K): K {
  onTestFinished(() => keyv.disconnect())
  return keyv
}

async function collected(keyv: Keyv): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  for await (const [key, value] of (keyv.iterator as any)()) found[key] = value
  return found
}

describe.each(Object.entries(WAYS))('Keyv 5 by %s', (_way, make) => {
  const open = (source: Place | string = place(), options?: KeyvOptions) => ending(make(source, options))

  it('offers all bulk methods, and answers as Keyv promises', async () => {
    const keyv = open()
    expect(
      await keyv.setMany([
        { key: 'a', value: 1 },
        { key: 'b', value: 2, ttl: 60_000 },
      ] as never),
    ).toEqual([true, true])
    expect(await keyv.setMany([])).toEqual([])
    expect(await keyv.getMany(['a', 'missing', 'b'])).toEqual([1, undefined, 2])
    expect(await keyv.getManyRaw(['a', 'missing'])).toEqual([expect.objectContaining({ value: 1 }), undefined])
    expect(await keyv.getRaw('b')).toEqual({ value: 2, expires: expect.any(Number) })
    expect(await keyv.hasMany(['a', 'missing', 'b'])).toEqual([true, false, true])
    expect(await keyv.delete(['a', 'missing'])).toBe(true)
    expect(await keyv.deleteMany(['missing', 'other'])).toBe(false)
    expect(await keyv.delete('b')).toBe(true)
    expect(await keyv.delete('b')).toBe(false)
  })

  it.each([
    ['0', 0, true, false],
    ['none', undefined, true, false],
    ['NaN', Number.NaN, true, false],
    ['Infinity', Number.POSITIVE_INFINITY, true, false],
    ['a minute', 60_000, true, true],
    ['a string', '1m', true, true],
    ['less than 0', -1, false, false],
  ])('knows the time to live %s', async (_title, ttl, lives, ends) => {
    const keyv = open()
    await keyv.set('old', 'previous')
    expect(await keyv.set('old', 'value', ttl as number)).toBe(true)
    expect(await keyv.get('old')).toBe(lives ? 'value' : undefined)
    const { cache } = keyv.store as KeyvDiskStore
    const keys = await collect(cache.keys({ includeExpired: true }))
    const rows = await Promise.all(keys.map(key => cache.info(key)))
    expect(rows).toHaveLength(lives ? 1 : 0)
    if (lives) expect(rows[0]?.expiresAt !== undefined).toBe(ends)
  })

  it('writes in the order of its calls, also where one of many has expired already', async () => {
    const { store } = open() as { readonly store: KeyvDiskStore }
    const many = store.setMany([
      { key: 'gone', value: 1, ttl: -1 },
      { key: 'kept', value: 1 },
    ] as never)
    await Promise.all([many, store.set('kept', 2)])
    expect(await collect(store.cache.entries())).toEqual([[expect.stringMatching(/kept$/), 2]])
  })

  it('gives the row the expiry of the value, and the default of the Keyv', async () => {
    const keyv = open(place(), { ttl: 60_000 })
    await keyv.get('open')
    await keyv.set('a', 1)
    await keyv.set('b', 1, 0)
    const { cache } = keyv.store as KeyvDiskStore
    const expires = (await keyv.getRaw('a'))?.expires as number
    for await (const key of cache.keys({ prefix: '' })) {
      const info = await cache.info(key)
      if (String(key).endsWith('a')) expect(Math.abs((info?.expiresAt as number) - expires)).toBeLessThan(50)
      else expect(info?.expiresAt).toBeUndefined()
    }
  })

  it('keeps namespaces apart, however they are named', async () => {
    const names = [
      'a',
      'a:b',
      'a_',
      'a%',
      'ab',
      'A',
      '%61',
      'a%3Ab',
      ':',
      '::',
      '*',
      "'",
      'ä',
      'a\n',
      '_',
      '%',
      '\u{1F4A9}',
      ' ',
    ]
    const directory = place()
    const keyvs = names.map(namespace => open(directory, { namespace }))
    const keys = ['x', ':x', 'b:x', '%', '_', '*']
    await Promise.all(keyvs.flatMap((keyv, at) => keys.map(key => keyv.set(key, `${names[at]}/${key}`))))
    for (const [at, keyv] of keyvs.entries()) {
      expect(await keyv.getMany(keys)).toEqual(keys.map(key => `${names[at]}/${key}`))
    }
    for (const [at, keyv] of keyvs.entries()) {
      await keyv.clear()
      expect(await keyv.getMany(keys)).toEqual(keys.map(() => undefined))
      const next = keyvs[at + 1]
      if (next) expect(await next.get('b:x')).toBe(`${names[at + 1]}/b:x`)
    }
  })

  it('clears its namespace and nothing that other doors keep', async () => {
    const directory = temporaryDirectory()
    await using cache = new FanoutCache(directory, { shards: 1 })
    const unnamed = open(directory, { namespace: '' })
    const named = open(directory, { namespace: 'users' })
    await cache.set('mine', 1)
    await cache.set('userspace', 1)
    await named.set('a', 1)
    await unnamed.set('a', 2)
    await unnamed.clear()
    expect(await named.get('a')).toBe(1)
    await named.clear()
    expect([await named.get('a'), await unnamed.get('a'), await cache.count()]).toEqual([undefined, undefined, 2])
  })

  it('clears thousands in pages, while timers tick and others write', async () => {
    const directory = place()
    const keyv = open(directory, { namespace: 'many' })
    const other = open(directory, { namespace: 'other' })
    const entries = Array.from({ length: 20_000 }, (_, at) => ({ key: `k${at}`, value: at }))
    await keyv.setMany(entries)
    await other.set('kept', 1)
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    const clearing = keyv.clear()
    const later = keyv.set('k1', 'set behind the clear')
    await Promise.all([clearing, later, other.set('kept', 2)])
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(3)
    expect(await keyv.get('k1')).toBe('set behind the clear')
    expect(await keyv.get('k2')).toBeUndefined()
    expect(await other.get('kept')).toBe(2)
    expect(await (keyv.store as KeyvDiskStore).cache.count()).toBe(2)
  })

  it('iterates over its own live entries, with the keys they were given', async () => {
    const directory = place()
    const keyv = open(directory, { namespace: 'n' })
    await keyv.setMany([
      { key: 'a:b:c', value: 1 },
      { key: 'x', value: { deep: [null] } },
      { key: 'gone', value: 1, ttl: -1 },
    ] as never)
    await open(directory, { namespace: 'm' }).set('foreign', 1)
    expect(await collected(keyv)).toEqual({ 'a:b:c': 1, x: { deep: [null] } })
    const unnamed = open(directory, { namespace: '' })
    await unnamed.set('a:b:c', 2)
    expect(await collected(unnamed)).toEqual({ 'a:b:c': 2 })
  })

  it('tells what fails by the event error, and answers as Keyv does', async () => {
    await using cache = new Cache(temporaryDirectory(), { sizeLimit: 2 ** 20 })
    const keyv = make(cache)
    const errors: Error[] = []
    keyv.on('error', (error: Error) => errors.push(error))
    expect(await keyv.set('big', 'x'.repeat(2 ** 21))).toBe(false)
    expect(errors.at(-1)?.message).toMatch(/larger than sizeLimit/)
    expect(await keyv.setMany([{ key: 'big', value: 'x'.repeat(2 ** 21) }] as never)).toEqual([false])
    expect(errors).toHaveLength(2)
    await expect(make(cache, { throwOnErrors: true }).set('big', 'x'.repeat(2 ** 21))).rejects.toThrow('larger')
  })

  it('tells why a FanoutCache refused a write', async () => {
    await using cache = new FanoutCache(temporaryDirectory(), { sizeLimit: 2 ** 20, shards: 2 })
    const keyv = make(cache)
    const errors: Error[] = []
    keyv.on('error', (error: Error) => errors.push(error))
    expect(await keyv.set('big', 'x'.repeat(2 ** 21))).toBe(false)
    expect(errors.at(-1)?.message).toMatch(/larger than the limit of its shard/)
    expect(
      await keyv.setMany([
        { key: 'big', value: 'x'.repeat(2 ** 21) },
        { key: 'small', value: 1 },
      ] as never),
    ).toEqual([false, true])
    expect(
      await keyv.setMany([
        { key: 'kept', value: 1 },
        { key: 'small', value: 1, ttl: -1 },
        { key: 'big', value: 'x'.repeat(2 ** 21) },
      ] as never),
    ).toEqual([true, true, false])
    expect([await keyv.get('kept'), await keyv.get('small'), errors.length]).toEqual([1, undefined, 1])
    expect(await keyv.setMany([{ key: 'big', value: 'x'.repeat(2 ** 21) }] as never)).toEqual([false])
    expect(errors.length).toBe(2)
  })

  it('tells of a read that fails, which Keyv itself keeps to itself', async () => {
    const directory = temporaryDirectory()
    const keyv = make(`${directory}/file/below`)
    const { writeFileSync } = await import('node:fs')
    writeFileSync(`${directory}/file`, '')
    const errors: Error[] = []
    keyv.on('error', (error: Error) => errors.push(error))
    expect(await keyv.get('a')).toBeUndefined()
    expect(errors).toHaveLength(1)
    await expect(make(`${directory}/file/below`, { throwOnErrors: true }).get('a')).rejects.toThrow('cache directory')
    expect(await make(`${directory}/file/below`).get('a')).toBeUndefined()
  })
})

describe('a plain Keyv 5 on a KeyvDiskStore', () => {
  it('has an iterator, with any store that is made of options', () => {
    for (const source of [temporaryDirectory(), { directory: temporaryDirectory() }]) {
      expect(typeof new Keyv({ store: new KeyvDiskStore(source) }).iterator).toBe('function')
    }
  })

  it('keeps its serializer, compression and prefix where they are given', async () => {
    const directory = place()
    const compression = {
      compress: (value: any) => Buffer.from(JSON.stringify(value)).toString('base64'),
      decompress: (value: any) => JSON.parse(Buffer.from(value, 'base64').toString()),
    }
    const options: KeyvOptions[] = [
      { namespace: 'c', compression },
      {
        namespace: 's',
        serialize: data => `<${JSON.stringify(data)}>`,
        deserialize: text => JSON.parse(text.slice(1, -1)),
      },
      { namespace: 'u', useKeyPrefix: false },
      { namespace: 'o', serialize: undefined as never, deserialize: undefined as never },
    ]
    for (const one of options) {
      const keyv = ending(new Keyv({ ...one, store: new KeyvDiskStore(directory) }))
      await keyv.set('a:b', { x: [1, 'y'] }, 60_000)
      expect(await keyv.get('a:b')).toEqual({ x: [1, 'y'] })
      expect(await keyv.has('a:b')).toBe(true)
      if (one.serialize !== undefined || 'useKeyPrefix' in one)
        expect(await collected(keyv)).toEqual({ 'a:b': { x: [1, 'y'] } })
      await keyv.clear()
      expect(await keyv.get('a:b')).toBeUndefined()
    }
  })

  it('stores text which others can read as JSON', async () => {
    const keyv = ending(new Keyv({ store: new KeyvDiskStore(place()) }))
    await keyv.set('a', { name: 'Ada' })
    const text = await (keyv.store as KeyvDiskStore).cache.get<string>('keyv:a')
    expect(JSON.parse(text as string)).toEqual({ value: { name: 'Ada' } })
  })

  it('follows its Keyv to another namespace', async () => {
    const keyv = ending(new Keyv({ store: new KeyvDiskStore(place()) }))
    await keyv.set('a', 1)
    keyv.namespace = 'other'
    expect(await keyv.get('a')).toBeUndefined()
    await keyv.set('a', 2)
    await keyv.clear()
    keyv.namespace = 'keyv'
    expect(await keyv.get('a')).toBe(1)
  })
})

describe('a key that begins as its namespace does', () => {
  it('is a key like others with createKeyv', async () => {
    const keyv = ending(createKeyv(place(), { namespace: 'n' }))
    await keyv.set('n:a', 1)
    await keyv.set('a', 2)
    expect([await keyv.get('n:a'), await keyv.get('a')]).toEqual([1, 2])
    expect(await keyv.getMany(['n:a', 'a', 'n:n:a'])).toEqual([1, 2, undefined])
    expect(await keyv.delete('a')).toBe(true)
    expect(await collected(keyv)).toEqual({ 'n:a': 1 })
  })

  it('is the key without it with a plain Keyv, which looks for another in getMany', async () => {
    const keyv = ending(new Keyv({ store: new KeyvDiskStore(place()), namespace: 'n' }))
    await keyv.set('n:a', 1)
    expect([await keyv.get('n:a'), await keyv.get('a')]).toEqual([1, 1])
    expect(await keyv.getMany(['n:a', 'a'])).toEqual([undefined, 1])
    await keyv.clear()
    expect(await keyv.get('n:a')).toBeUndefined()
  })
})

describe('one KeyvDiskStore in two Keyvs', () => {
  it('keeps their entries apart, and refuses the clear that could be for either', async () => {
    const store = new KeyvDiskStore(place())
    const a = ending(new Keyv({ store, namespace: 'a' }))
    const b = ending(new Keyv({ store, namespace: 'b' }))
    const errors: Error[] = []
    a.on('error', (error: Error) => errors.push(error))
    await a.set('x', 'of a')
    await b.set('x', 'of b')
    await a.clear()
    expect(errors[0]?.message).toMatch(/namespaces 'a' and 'b'.*make a new KeyvDiskStore for each Keyv/)
    expect([await a.get('x'), await b.get('x')]).toEqual(['of a', 'of b'])
    expect(await collected(b)).toEqual({ x: 'of b' })
    expect(Object.values(await collected(a))).not.toContain('of b')
    expect(await a.getMany(['x'])).toEqual(['of a'])
    expect(await a.delete('x')).toBe(true)
    expect(await b.has('x')).toBe(true)
  })

  it('refuses namespaces of which one begins the other', () => {
    const store = new KeyvDiskStore(place())
    new Keyv({ store, namespace: 'a' })
    expect(() => new Keyv({ store, namespace: 'a:b' })).toThrow('make a new KeyvDiskStore for each Keyv')
  })

  it('serves two Keyvs of one namespace', async () => {
    const store = new KeyvDiskStore(place())
    const a = ending(new Keyv({ store, namespace: 'a' }))
    const again = new Keyv({ store, namespace: 'a' })
    await a.set('x', 1)
    await again.clear()
    expect(await a.get('x')).toBeUndefined()
  })
})

describe('createKeyv', () => {
  const VALUES: readonly unknown[] = [
    new Map<unknown, unknown>([['a', new Set([1, 2])]]),
    new Set(['x']),
    new Date(86_400_000),
    2n ** 70n,
    5n,
    -5n,
    [5n, new Uint8Array(2)],
    new Map([['\u0002', 5n]]),
    Buffer.from('bytes'),
    new Uint8Array([1, 2, 3]),
    new Float64Array([0.5, -0]),
    new ArrayBuffer(4),
    /re/gi,
    -0,
    null,
    undefined,
    false,
    '',
    ':colon',
    '{"value":1}',
    '{"expires":5}',
    '{}',
    '\u0001',
    '\u0002x',
    '\u0003',
    { value: 1, expires: 5 },
    [undefined, { a: undefined }],
    'x'.repeat(100_000),
  ]

  it('gives back every value as it was', async () => {
    const keyv = ending(createKeyv(place()))
    for (const value of VALUES) {
      expect(await keyv.set('a', value)).toBe(true)
      expect(await keyv.get('a')).toStrictEqual(value)
      expect(await keyv.getMany(['a'])).toStrictEqual([value])
      expect((await keyv.getManyRaw(['a']))[0]?.value).toStrictEqual(value)
      expect(await keyv.has('a')).toBe(true)
      expect(await collected(keyv)).toStrictEqual({ a: value })
      await keyv.setMany([{ key: 'b', value }] as never)
      expect(await keyv.get('b')).toStrictEqual(value)
      await keyv.delete('b')
    }
  })

  it('stores what an object says it is as data, as stores of text did', async () => {
    class Id {
      readonly bytes = Buffer.from('ab')
      toJSON() {
        return 'ab'
      }
    }
    class Entity {
      readonly id = new Id()
      readonly made = new Date(0)
      readonly tags = new Set(['a'])
    }
    class Document {
      readonly internals = { save() {} }
      toJSON() {
        return { _id: new Id(), size: 5n, text: '{"value":1}' }
      }
    }
    class Text {
      toJSON() {
        return '{"value":1}'
      }
    }
    const keyv = ending(createKeyv(place()))
    const id = new Id()
    const cyclic: Record<string, unknown> = { id, again: [id, { id }] }
    cyclic.self = cyclic
    const ring: unknown[] = []
    ring.push(ring, ring)
    let deep: unknown = { id }
    for (let level = 0; level < 400; level++) deep = { deep }
    const own = Object.defineProperty({ id }, '__proto__', { value: new URL('http://a/b'), enumerable: true })
    const error = new Error('kept')
    const cases: [unknown, unknown][] = [
      [new URL('http://a/b'), 'http://a/b'],
      [new Text(), '{"value":1}'],
      [new Document(), { _id: 'ab', size: 5n, text: '{"value":1}' }],
      [new Entity(), { id: 'ab', made: new Date(0), tags: new Set(['a']) }],
      [
        [1, [new Id(), null]],
        [1, ['ab', null]],
      ],
      [{ toJSON: () => undefined }, undefined],
      [Object.create(null, { id: { value: id, enumerable: true } }), { id: 'ab' }],
      [{ error }, { error }],
    ]
    for (const [given, expected] of cases) {
      expect(await keyv.set('a', given)).toBe(true)
      expect(await keyv.get('a')).toEqual(expected)
    }
    expect(await keyv.set('a', cyclic)).toBe(true)
    expect(await keyv.get('a')).toMatchObject({ id: 'ab', again: ['ab', { id: 'ab' }] })
    expect(await keyv.set('a', ring)).toBe(true)
    expect(await keyv.get('a')).toEqual(ring)
    expect(await keyv.set('a', deep)).toBe(true)
    await keyv.set('a', own)
    expect(Object.entries((await keyv.get('a')) as object)).toEqual([
      ['id', 'ab'],
      ['__proto__', 'http://a/b'],
    ])
  })

  it('stores values as the cache itself would, so that it and Python can read them', async () => {
    const keyv = ending(createKeyv(place(), { namespace: 'users' }))
    await keyv.set('a', 'text', 60_000)
    const { cache } = keyv.store as KeyvDiskStore
    expect(await cache.get('users:a')).toBe('text')
    expect((await cache.info('users:a'))?.expiresAt).toBeGreaterThan(0)
    expect((keyv.store as KeyvDiskStore).keyOf('a')).toBe('users:a')
  })

  it('takes times with units, and options of Keyv', async () => {
    const keyv = ending(createKeyv({ ...place(), namespace: 'n', ttl: '5m', stats: true }))
    expect([keyv.ttl, keyv.namespace]).toEqual([300_000, 'n'])
    await keyv.set('a', 1)
    await keyv.get('a')
    expect(keyv.stats.hits).toBe(1)
    const over = ending(createKeyv({ ...place(), ttl: -1 }))
    expect([await over.set('a', 1), await over.get('a')]).toEqual([true, undefined])
    expect(() => createKeyv('/x', { ttl: '5' })).toThrow("ttl must be milliseconds or a string such as '250ms'")
    expect(() => createKeyv('/x', { namespace: 'a\ud800' })).toThrow('namespace must be a well-formed string')
    for (const name of ['serialize', 'compression']) {
      expect(() => createKeyv('/x', { [name]: () => '' })).toThrow(`createKeyv stores values as they are, so ${name}`)
    }
  })

  it('is the same by require, over the same engine', async () => {
    const where = place()
    const required = createRequire(import.meta.url)('fanout-cache/keyv') as typeof import('fanout-cache/keyv')
    const [esm, cjs] = [ending(createKeyv(where)), ending(required.createKeyv(where))]
    await esm.set('a', new Set([1n]), 60_000)
    expect(await cjs.get('a')).toEqual(new Set([1n]))
    await using cache = new Cache(temporaryDirectory())
    await required.createKeyv(cache).set('a', 5n)
    expect(await cache.count()).toBe(1)
  })

  it('lets its entries expire in the cache, which removes them', async () => {
    let now = 1_700_000_000_000
    await using cache = new Cache(temporaryDirectory(), { clock: { now: () => now } })
    const keyv = createKeyv(cache)
    await keyv.set('a', 1, 1000)
    now += 1001
    expect(await keyv.has('a')).toBe(false)
    expect(await cache.expire()).toBe(1)
  })

  it('works on a Cache whose codec hides keys', async () => {
    const { jsonCodec } = await import('fanout-cache')
    await using cache = new Cache(temporaryDirectory(), { codec: jsonCodec })
    const [a, b] = [createKeyv(cache, { namespace: 'a' }), createKeyv(cache, { namespace: 'b' })]
    await a.setMany(Array.from({ length: 700 }, (_, at) => ({ key: `${at}`, value: at })) as never)
    await b.set('x', [1])
    await a.clear()
    expect([await cache.count(), await b.get('x')]).toEqual([1, [1]])
    expect(await collected(b)).toEqual({ x: [1] })
  })

  it('works on a cache of another build, through its verbs', async () => {
    await using cache = new Cache(temporaryDirectory())
    const foreign = new Proxy({} as any, {
      get: (_, name) => {
        const verb = (cache as any)[name]
        return typeof verb === 'function' ? verb.bind(cache) : verb
      },
    })
    const keyv = createKeyv(foreign as Cache, { namespace: 'a' })
    await keyv.set('x', new Map(), 60_000)
    await cache.set('b:x', 1)
    expect(await keyv.getRaw('x')).toEqual({ value: new Map(), expires: expect.any(Number) })
    await keyv.clear()
    expect(await cache.count()).toBe(1)
  })
})

describe('a namespace that a plain Keyv and createKeyv share', () => {
  it('lets each read what the other has stored', async () => {
    const directory = place()
    const plain = ending(new Keyv({ store: new KeyvDiskStore(directory), namespace: 'n' }))
    const created = ending(createKeyv(directory, { namespace: 'n' }))
    await plain.set('p', { buffer: Buffer.from('x'), text: ':a' }, 60_000)
    await created.set('c', { list: [1] }, 60_000)
    expect(await created.getRaw('p')).toEqual({
      value: { buffer: Buffer.from('x'), text: ':a' },
      expires: expect.any(Number),
    })
    expect(await plain.getRaw('c')).toEqual({ value: { list: [1] }, expires: expect.any(Number) })
    expect(await plain.getMany(['c'])).toEqual([{ list: [1] }])
    expect([await plain.has('c'), await plain.hasMany(['c', 'x']), await created.has('p')]).toEqual([
      true,
      [true, false],
      true,
    ])
    // Keyv takes nothing there but what its serializer has made.
    expect(await plain.getManyRaw(['c', 'p'])).toEqual([
      undefined,
      expect.objectContaining({ value: expect.anything() }),
    ])
    expect(await collected(plain)).toEqual(await collected(created))
  })

  it('is a miss for createKeyv where a serializer of its own has written', async () => {
    const directory = place()
    const plain = ending(
      new Keyv({
        store: new KeyvDiskStore(directory),
        namespace: 'n',
        serialize: () => '<mine>',
        deserialize: () => ({ value: 1 }) as never,
      }),
    )
    const created = ending(createKeyv(directory, { namespace: 'n' }))
    await plain.set('p', 1)
    expect([await plain.get('p'), await created.get('p')]).toEqual([1, undefined])
  })
})

describe('the wrong major of Keyv', () => {
  it('is told at once, and which door is right', () => {
    const directory = temporaryDirectory()
    expect(() => new Keyv6({ store: new KeyvDiskStore(directory) })).toThrow('import it from fanout-cache/keyv6')
    expect(() => new Keyv({ store: new KeyvDiskStore6(directory) })).toThrow('import it from fanout-cache/keyv')
  })
})
