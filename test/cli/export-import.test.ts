import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Cache, FanoutCache, jsonCodec, pickleCodec } from 'fanout-cache'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { ManualClock } from '../helpers/manual-clock.js'
import { peer } from '../helpers/peers.js'
import { runPython } from '../helpers/python.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cliHere } from './support/command-line.js'
import { exported, fileEntry, filesOf, importNew, rowsOf, run, streamOf } from './transfer-support.js'

const scalar = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.double({ noNaN: true }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0, -0, 1e300, 2 ** 53, Number.POSITIVE_INFINITY, true, false, null),
  fc.uint8Array({ maxLength: 20 }),
)
const key = fc.oneof(scalar, fc.array(fc.oneof(fc.string(), fc.integer(), fc.boolean()), { maxLength: 3 }))
const value = fc.oneof(
  scalar,
  fc.object({ withMap: true, withSet: true, withDate: true, withBigInt: true, withNullPrototype: false }),
  fc.dictionary(fc.constantFrom('$bytes', '$x', '__proto__', 'a'), fc.jsonValue(), { maxKeys: 2 }),
  fc.constantFrom('long\r\n'.repeat(8000), 'é'.repeat(40_000), Buffer.alloc(100_000, 3), { deep: 'x'.repeat(40_000) }),
)
const storing = fc.record(
  {
    ttl: fc.integer({ min: 3_600_000, max: 10_000_000_000 }),
    tag: fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.integer(),
      fc.double({ noNaN: true }),
      fc.uint8Array({ maxLength: 4 }),
    ),
    tags: fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 3 }),
    file: fc.constant(true as const),
  },
  { requiredKeys: [] },
)
const entries = fc.array(fc.tuple(key, value, storing), { minLength: 80, maxLength: 80, size: 'max' })

describe('export and import', () => {
  it.each(['structured', 'pickle', 'json'])(
    'give back every key and value as it was, over both kinds and other numbers of shards: %s',
    async codecName => {
      const codec = { structured: undefined, pickle: pickleCodec, json: jsonCodec }[codecName]
      await fc.assert(
        fc.asyncProperty(entries, async drawn => {
          const root = temporaryDirectory()
          const cache = new Cache(join(root, 'made'), codec && { codec })
          for (const [name, content, options] of drawn) await cache.set(name, content, options).catch(refused)
          await cache.close()
          const first = await exported(join(root, 'made'), '--codec', codecName)
          await importNew(join(root, 'fanned'), first, '--kind', 'FanoutCache', '--shards', '3')
          expect(rowsOf(join(root, 'fanned'))).toEqual(rowsOf(join(root, 'made')))
          if (codecName !== 'structured') return
          // With another number of shards and kind once more.
          await importNew(join(root, 'back'), await exported(join(root, 'fanned')), '--kind', 'Cache')
          expect(rowsOf(join(root, 'back'))).toEqual(rowsOf(join(root, 'made')))
        }),
        { numRuns: 1 },
      )
    },
  )

  it('keep tags, metadata, expiry, use, and when a computed value is stale', async () => {
    const root = temporaryDirectory()
    const cache = new FanoutCache(join(root, 'a'), { evictionPolicy: 'least-frequently-used', sizeLimit: 2 ** 28 })
    await cache.set('film', Buffer.alloc(1000, 1), {
      meta: { type: 'video/mp4' },
      tag: 'first',
      tags: ['x', 'y'],
      ttl: '1h',
    })
    for (let reads = 0; reads < 3; reads++) await cache.get('film')
    await cache.getOrSet('slow', () => 'computed', { ttl: '1h', staleFor: '1h' })
    const settings = await cache.settings()
    // Marks of reads are written at the latest when it is closed.
    await cache.close()
    const known = await cache.info('film')
    await cache.close()
    const stream = await exported(join(root, 'a'))
    await importNew(join(root, 'b'), stream)
    const copy = new FanoutCache(join(root, 'b'))
    const { path: _path, version: _version, storedAt, accessedAt, ...rest } = (await copy.info('film')) ?? {}
    expect(known).toMatchObject(rest)
    expect(rest).toMatchObject({ accessCount: 3, tags: ['x', 'y'], meta: { type: 'video/mp4' } })
    expect(Math.abs((storedAt ?? 0) - (known?.storedAt ?? 0))).toBeLessThan(1.001)
    expect(Math.abs((accessedAt ?? 0) - (known?.accessedAt ?? 0))).toBeLessThan(1.001)
    expect(await copy.settings()).toEqual(settings)
    expect(await copy.evict('y')).toBe(1)
    // It is fresh in the copy as well: nobody computes it.
    expect(await copy.getOrSet('slow', () => 'again', { ttl: '1h', staleFor: '1h' })).toBe('computed')
    await copy.close()
    expect(JSON.parse(stream.split('\n').find(line => line.includes('"slow"')) ?? '')).toMatchObject({
      value: 'computed',
      computed: { took: expect.any(Number), staleAt: expect.any(Number) },
    })
  })

  it('keep the millisecond of a store time, whatever microseconds are drawn', async () => {
    const root = temporaryDirectory()
    const line = { key: 'a', value: 1, storedAt: 1_795_354_913_623, accessedAt: 1_795_354_913_623 }
    const input = streamOf([line, { ...line, key: 'b' }])
    const drawn = vi.spyOn(Math, 'random')
    onTestFinished(() => drawn.mockRestore())
    for (const [name, number] of [0, 0.9999999].entries()) {
      drawn.mockReturnValue(number)
      const copy = join(root, String(name))
      expect((await cliHere(['import', copy, '--create'], { input })).code).toBe(0)
      const { stdout } = await cliHere(['export', copy])
      expect(stdout.match(/"storedAt":\d+/g)).toEqual(['"storedAt":1795354913623', '"storedAt":1795354913623'])
    }
  })

  it('carry a cache whose shards have fractions of its limit', async () => {
    const root = temporaryDirectory()
    const cache = new FanoutCache(join(root, 'a'), { shards: 7, sizeLimit: 1e9 })
    await cache.set('key', 1)
    await cache.close()
    await importNew(join(root, 'b'), await exported(join(root, 'a')))
    expect(JSON.parse((await cliHere(['stats', join(root, 'b'), '--json'])).stdout)).toMatchObject({ sizeLimit: 1e9 })
    const { stdout } = await cliHere(['watch', join(root, 'b'), '--count', '1', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ sizeLimit: 1e9 })
  })

  it('carry an index and a deque, whose taken items wait again in the copy', async () => {
    const root = temporaryDirectory()
    const cache = new FanoutCache(join(root, 'a'))
    await cache.set('beside', 1)
    const deque = cache.deque<string>('jobs')
    await deque.extend(['one', 'two', 'three'])
    await deque.take({ lease: '1h' })
    await cache.index('people').set('ann', { age: 7 })
    await cache.close()
    const told = await run(['export', join(root, 'a')])
    expect(told.stderr).toContain('deque/jobs, index/people')
    await importNew(join(root, 'b', 'deque', 'jobs'), await exported(join(root, 'a', 'deque', 'jobs')))
    await importNew(join(root, 'b', 'index', 'people'), await exported(join(root, 'a', 'index', 'people')))
    const copy = new FanoutCache(join(root, 'b'))
    const items: unknown[] = []
    for (let item = await copy.deque('jobs').popLeft(); item !== undefined; item = await copy.deque('jobs').popLeft())
      items.push(item)
    expect(items).toEqual(['one', 'two', 'three'])
    expect(await copy.index('people').get('ann')).toEqual({ age: 7 })
    await copy.close()
  })

  it('choose by what compressed keys begin with, too', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory, { codec: jsonCodec })
    for (const key of ['user:1', 'page', 'user:2', ['user:3']]) await cache.set(key, 1)
    await cache.close()
    const lines = (await exported(directory, '--codec', 'json', '--prefix', 'user:')).trim().split('\n')
    expect(lines.flatMap(line => JSON.parse(line).key ?? [])).toEqual(['user:1', 'user:2'])
  })

  it('leave out what has expired, and what a choice leaves out', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(join(directory, 'a'))
    await cache.set('user:1', 1, { tags: ['x'] })
    await cache.set('user:2', 2)
    await cache.set('page', 3, { tag: 'x' })
    await cache.close()
    // A process an hour ago: it has expired by now, and nothing has been written since.
    const before = new Cache(join(directory, 'a'), { clock: { now: () => Date.now() - 3_600_000 } })
    await before.set('old', 1, { ttl: 60_000 })
    await before.close()
    const keysOf = async (...options: string[]) => {
      const lines = (await exported(join(directory, 'a'), ...options)).trim().split('\n')
      return lines.flatMap(line => JSON.parse(line).key ?? [])
    }
    expect(await keysOf()).toEqual(['user:1', 'user:2', 'page'])
    expect(await keysOf('--include-expired')).toEqual(['user:1', 'user:2', 'page', 'old'])
    expect(await keysOf('--prefix', 'user:')).toEqual(['user:1', 'user:2'])
    expect(await keysOf('--tag', 'x')).toEqual(['user:1', 'page'])
  })

  it('choose by tags that are no text', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory)
    const tags = { whole: 5, half: 5.5, text: '5', bytes: Buffer.from([0, 1]), large: 2n ** 60n }
    for (const [key, tag] of Object.entries(tags)) await cache.set(key, 1, { tag })
    await cache.close()
    rawDatabase(directory).exec("UPDATE Cache SET tag = CAST(tag AS REAL) WHERE key = 'whole'")
    const chosen: readonly (readonly [tag: string, key: string])[] = [
      ['5', 'whole'],
      ['5.5', 'half'],
      ['"5"', 'text'],
      ['{"$bytes":"AAE="}', 'bytes'],
      ['{"$bigint":"1152921504606846976"}', 'large'],
    ]
    for (const [tag, key] of chosen) {
      const stream = await exported(directory, '--tag', tag, '--tag-json')
      expect(
        stream
          .split('\n')
          .slice(1, -2)
          .map(line => JSON.parse(line).key),
        tag,
      ).toEqual([key])
    }
    expect(await run(['export', directory, '--tag', '[5]', '--tag-json'])).toMatchObject({ code: 2, stdout: '' })
  })

  it('take lines that people write, and recode plain values for Python', async () => {
    const root = temporaryDirectory()
    const stream = streamOf([
      { key: 'a', value: { list: [1, 2.5, 'x', null, true] }, ttl: '1h' },
      { key: ['user', 1], value: { $object: { $bytes: 'text' } }, tags: ['users'] },
      { key: { $bigint: '9007199254740993' }, value: { $bytes: 'AQI=' } },
      { key: 'when', value: 5, storedAt: 9e15, expiresAt: 9e15 },
      ...fileEntry('film', Buffer.from('moving pictures'), { meta: { type: 'video/mp4' } }),
    ])
    await importNew(join(root, 'ours'), stream)
    const cache = new Cache(join(root, 'ours'))
    expect(await cache.get('a')).toEqual({ list: [1, 2.5, 'x', null, true] })
    expect(await cache.get(['user', 1])).toEqual({ $bytes: 'text' })
    expect(await cache.get(9007199254740993n)).toEqual(Buffer.from([1, 2]))
    expect((await cache.getItem('film'))?.meta).toEqual({ type: 'video/mp4' })
    expect((await cache.info('when'))?.storedAt).toBeLessThanOrEqual(Date.now())
    expect(await cache.check()).toEqual([])
    await cache.close()
    if (!peer('python')) return
    await importNew(join(root, 'python'), stream, '--codec', 'pickle')
    const seen = await runPython('(lambda c: (c["a"], c[("user", 1)], c["film"], found(c)))(diskcache.Cache(d))', {
      d: join(root, 'python'),
    })
    expect(seen).toEqual([{ list: [1, 2.5, 'x', null, true] }, { $bytes: 'text' }, Buffer.from('moving pictures'), []])
  })
})

describe('import', () => {
  const stream = streamOf([
    { key: 'a', value: 'new' },
    { key: 'b', value: 'new' },
    ...fileEntry('c', Buffer.alloc(50_000, 9)),
  ])

  async function cacheWith(directory: string): Promise<void> {
    const cache = new FanoutCache(directory, { shards: 2 })
    await cache.set('a', 'old')
    await cache.set('c', Buffer.alloc(40_000, 1))
    await cache.set('z', 'other')
    await cache.close()
  }

  it.each([
    ['replace', ['new', 'new', 50_000, 'other']],
    ['keep', ['old', 'new', 40_000, 'other']],
  ])('does with keys that are there what was asked for: %s', async (what, expected) => {
    const directory = join(temporaryDirectory(), 'a')
    await cacheWith(directory)
    const { code, stdout } = await run(
      ['import', directory, '--yes', '--json', '--on-conflict', what, '--batch', '2'],
      stream,
    )
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ entries: 3, stored: 1, [what === 'keep' ? 'kept' : 'replaced']: 2 })
    const cache = new FanoutCache(directory)
    const [a, b, c, z] = await cache.getMany(['a', 'b', 'c', 'z'])
    expect([a, b, (c as Buffer).length, z]).toEqual(expected)
    expect(await cache.check()).toEqual([])
    await cache.close()
  })

  it.each(['keep', 'fail'])('stores a key whose entry has expired, whatever becomes of others: %s', async what => {
    const directory = join(temporaryDirectory(), 'a')
    const cache = new Cache(directory, { clock: new ManualClock(Date.now() - 3_600_000) })
    await cache.set('a', 'old', { ttl: 1000 })
    await cache.close()
    const { code, stdout } = await run(['import', directory, '--yes', '--json', '--on-conflict', what], stream)
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { entries: 3, stored: 3, kept: 0, replaced: 0 }])
    const after = new Cache(directory)
    expect(await after.get('a')).toBe('new')
    await after.close()
  })

  it('changes nothing when a key is there and was not to be, nobody has agreed, it is tried only, or does not fit', async () => {
    const directory = join(temporaryDirectory(), 'a')
    await cacheWith(directory)
    const before = [rowsOf(directory), filesOf(directory)]
    const film = fileEntry('film', Buffer.alloc(600_000_000 % 1_000_003, 1))
    const small = join(temporaryDirectory(), 'small')
    await new Cache(small, { sizeLimit: 2 ** 19 }).open().then(cache => cache.close())
    const [conflict, unasked, dry, misused, missing, large, full] = await Promise.all([
      run(['import', directory, '--on-conflict', 'fail'], stream),
      run(['import', directory], stream),
      run(['import', directory, '--dry-run', '--json'], stream),
      run(['import', directory, '--yes', '--on-conflict', 'fail', '--batch', '5'], stream),
      run(['import', join(directory, 'none')], stream),
      run(['import', small, '--yes'], streamOf(film)),
      run(['import', small, '--yes'], streamOf([1, 2, 3].flatMap(n => fileEntry(n, Buffer.alloc(300_000))))),
    ])
    expect(conflict).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/line \d of the stream: the key "[ac]" is there/),
    })
    expect(unasked).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') })
    expect(dry).toMatchObject({ code: 0, stdout: expect.stringContaining('"replaced":2') })
    expect(misused).toMatchObject({ code: 2, stderr: expect.stringContaining('--batch') })
    expect(missing).toMatchObject({ code: 3 })
    expect(large).toMatchObject({ code: 2, stderr: expect.stringContaining('larger than') })
    expect(full).toMatchObject({ code: 2, stderr: expect.stringContaining('--evict') })
    expect([rowsOf(directory), filesOf(directory)]).toEqual(before)
    expect(rowsOf(small)).toEqual([])
  })

  const whole = stream.trim().split('\n')
  const changed = (at: number, line: string | undefined) =>
    whole.flatMap((old, index) => (index === at ? (line ?? []) : old))
  it('stops at a line that is broken, says which, and leaves everything as it was', async () => {
    const root = temporaryDirectory()
    const directory = join(root, 'a')
    await cacheWith(directory)
    const before = [rowsOf(directory), filesOf(directory)]
    const broken: [string, string[], RegExp][] = [
      ['is empty', [], /line 1 of the stream: it is empty/],
      ['is of a later version', changed(0, '{"format":"fanout-cache","version":2}'), /line 1 .*version 2/],
      ['is cut off', whole.slice(0, 4), /line 5 .*cut off/],
      ['misses a part of a file', changed(4, undefined), /line 6 .*25000 bytes|line 6 .*announced/],
      [
        'has a changed file',
        changed(4, JSON.stringify({ chunk: 'AAAA'.repeat(8333) })),
        /line \d .*(sha256|announced|longer)/,
      ],
      [
        'misses an entry',
        [...changed(1, undefined).slice(0, -1), '{"end":{"entries":3}}'],
        /3 entries were sent, and 2 came/,
      ],
      ['has a misspelt name', changed(1, '{"key":"a","vlaue":1}'), /line 2 .*did you mean value/],
      ['has a tag that is none', changed(1, '{"key":"a","value":{"$byte":""}}'), /line 2 .*\$bytes/],
      ['has a number that none can hold', changed(1, '{"key":[9007199254740993],"value":1}'), /line 2 .*\$bigint/],
      [
        'has a key that is none',
        changed(2, '{"key":{"$stored":{"raw":true,"data":null}},"value":1}'),
        /line 3 .*no key/,
      ],
      ['goes on', [...whole, '{"key":"d","value":1}'], /line 9 .*behind the last line/],
    ]
    const outcomes = await Promise.all(
      broken.map(async ([what, lines]) => {
        const file = join(root, `${what}.jsonl`)
        writeFileSync(file, lines.map(line => `${line}\n`).join(''))
        return run(['import', directory, file, '--yes'])
      }),
    )
    for (const [index, { code, stderr }] of outcomes.entries()) {
      expect([broken[index]?.[0], code]).toEqual([broken[index]?.[0], 65])
      expect(stderr).toMatch(broken[index]?.[2] as RegExp)
      expect(stderr).toContain('nothing was imported')
    }
    const made = join(root, 'made')
    expect((await run(['import', made, '--create'], whole.slice(0, 5).join('\n'))).code).toBe(65)
    expect(filesOf(root).filter(name => name.startsWith('made'))).toEqual([])
    expect([rowsOf(directory), filesOf(directory)]).toEqual(before)
  })
})

/** What cannot be stored with a codec is none of export's business. */
function refused(error: unknown): void {
  if (!(error instanceof TypeError || error instanceof RangeError)) throw error
}
