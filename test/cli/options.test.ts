import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Cache, type CacheOptions, FanoutCache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../helpers/manual-clock.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cliAsked, cliHere, done, json, no } from './support/command-line.js'

/** What was stored then for a minute has expired. */
const LONG_AGO = Date.UTC(2020, 0, 2, 3, 4, 5)
const FAR_AWAY = Date.UTC(2100, 0, 1)

/** A closed Cache that others have filled long ago. */
async function made(fill: (cache: Cache) => Promise<unknown>, options: CacheOptions = {}): Promise<string> {
  const directory = join(temporaryDirectory(), 'cache')
  await using cache = new Cache(directory, { cullLimit: 0, clock: new ManualClock(LONG_AGO), ...options })
  await fill(cache)
  return directory
}

const lines = (stdout: string): string[] => stdout.split('\n').slice(0, -1)

async function infoOf(directory: string, key: string): Promise<unknown> {
  return json(await cliHere(['get', directory, key, '--info', '--json']))
}

describe('ls', () => {
  const filled = (): Promise<string> =>
    made(async cache => {
      await cache.set('a', 1, { ttl: '1m' })
      await cache.set('b', 'x'.repeat(40_000), { tag: 't', tags: ['u', '\u0007'] })
      await cache.set('c', 3)
    })

  it('lists backwards, what has expired too, and as many as are asked for', async () => {
    const directory = await filled()
    const listed = async (...options: string[]): Promise<string[]> =>
      lines((await cliHere(['ls', directory, ...options])).stdout)
    expect(await listed()).toEqual(['b', 'c'])
    expect(await listed('--reverse')).toEqual(['c', 'b'])
    expect(await listed('--expired')).toEqual(['a', 'b', 'c'])
    for (const form of [[], ['--long']]) {
      expect(await listed('--limit', '0', ...form)).toEqual([])
      expect(await listed('--limit', '1', ...form)).toHaveLength(1)
    }
  })

  it('tells with --long size, expiry, time of storing and all tags', async () => {
    const { stdout } = await cliHere(['ls', await filled(), '--long', '--expired'])
    const [first = '', second = ''] = lines(stdout)
    expect(first).toMatch(/^ +\d+ B {2}expired {5}2020-01-02T03:04:05Z {2}a$/)
    expect(second).toMatch(/^ +39\.1 KiB {2}never {7}2020-01-02T03:04:05Z {2}b {2}\[t, u, \\u0007\]$/)
  })
})

describe('get --info', () => {
  const filled = (): Promise<string> =>
    made(cache =>
      cache.set('film', Buffer.alloc(40_000), {
        ttl: FAR_AWAY - LONG_AGO,
        tag: Buffer.from([1]),
        tags: ['u'],
        meta: { a: 1 },
      }),
    )

  it('tells people what is known of an entry', async () => {
    const { stdout } = await cliHere(['get', await filled(), 'film', '--info'])
    expect(stdout).toMatch(/^key +film$/m)
    expect(stdout).toMatch(/^size +39\.1 KiB \(40000 bytes\)$/m)
    expect(stdout).toMatch(/^expires in +\d+d( \d+h)? \(2100-01-01T00:00:00Z\)$/m)
    expect(stdout).toMatch(/^stored +2020-01-02T03:04:05Z$/m)
    expect(stdout).toMatch(/^accessed +2020-01-02T03:04:05Z, counted 0 times$/m)
    expect(stdout).toMatch(/^tags +\{"\$bytes":"AQ=="\}, u$/m)
    expect(stdout).toMatch(/^file +.*\.val$/m)
    expect(stdout).toMatch(/^meta +\{"a":1\}$/m)
  })

  it('tells scripts the same, in milliseconds and bytes', async () => {
    const told = { tag: { $bytes: 'AQ==' }, tags: ['u'], expiresAt: FAR_AWAY, storedAt: LONG_AGO, meta: { a: 1 } }
    expect(await infoOf(await filled(), 'film')).toMatchObject({ key: 'film', size: 40_000, ...told })
  })

  it('tells no expiry of what Python keeps for an infinite time', async () => {
    const directory = await filled()
    rawDatabase(directory).exec('UPDATE Cache SET expire_time = 9e999')
    expect(await infoOf(directory, 'film')).not.toHaveProperty('expiresAt')
    expect((await cliHere(['ls', directory, '--long'])).stdout).toMatch(/ never +2020/)
  })
})

describe('what stores', () => {
  const empty = (): Promise<string> => made(cache => cache.open())

  it('keeps all tags that are given, and metadata beside a file', async () => {
    const directory = await empty()
    const file = join(directory, '..', 'film')
    writeFileSync(file, 'é'.repeat(40_000))
    const options = ['--tag', 'a', '--tag', 'b', '--tag', 'c', '--meta', '{"type":"film"}']
    expect(await cliHere(['set', directory, 'film', '--file', file, ...options])).toEqual(done(''))
    expect(await infoOf(directory, 'film')).toMatchObject({ tag: 'a', tags: ['b', 'c'], meta: { type: 'film' } })
    expect(json(await cliHere(['touch', directory, 'film', '--meta', '[1]', '--json']))).toMatchObject({
      touched: true,
    })
    expect(await infoOf(directory, 'film')).toMatchObject({ tag: 'a', meta: [1] })
    expect(await cliHere(['set', directory, 'text', '--file', file, '--text'])).toEqual(done(''))
    expect((await cliHere(['get', directory, 'text', '--json'])).stdout).toMatch(/^"é+"\n$/)
  })

  it('takes the first tag only for a number', async () => {
    const directory = await empty()
    const set = ['set', directory, 'key', 'value', '--tag-json', '--tag', '7', '--tag']
    expect(await cliHere([...set, '8'])).toMatchObject({ code: 2, stderr: expect.stringContaining('only the first') })
    expect(await cliHere([...set, '"u"'])).toEqual(done(''))
    expect(await infoOf(directory, 'key')).toMatchObject({ tag: 7, tags: ['u'] })
  })

  it('says whether it has stored, and exits with 1 where it has not', async () => {
    const directory = await empty()
    const add = ['set', directory, 'key', 'value', '--add', '--json']
    expect(await cliHere(add)).toEqual(done('{"key":"key","stored":true}\n'))
    expect(await cliHere(add)).toMatchObject({ code: 1, stdout: '{"key":"key","stored":false}\n' })
    expect(await cliHere(['touch', directory, 'none', '--ttl', '1h'])).toEqual(no('there is no key none'))
    expect(await cliHere(['touch', directory, 'none', '--ttl', 'never', '--json'])).toMatchObject({
      code: 1,
      stdout: '{"key":"none","touched":false}\n',
    })
  })

  it('gives a counter that begins its time to live and tags', async () => {
    const directory = await empty()
    expect(await cliHere(['incr', directory, 'n', '--ttl', '1h', '--tag', 'a', '--tag', 'b'])).toEqual(done('1\n'))
    expect(await infoOf(directory, 'n')).toMatchObject({ expiresAt: expect.any(Number), tag: 'a', tags: ['b'] })
  })
})

describe('what removes', () => {
  /** Three entries of one prefix and tag, of which one has expired, and another. */
  const filled = (): Promise<string> =>
    made(
      cache =>
        cache.setMany([
          ['k:1', 1, { tag: 't', ttl: '1m' }],
          ['k:2', 2, { tag: 't' }],
          ['k:3', 3, { tag: 't' }],
          ['other', 4],
        ]),
      { maxItems: 100 },
    )
  const left = async (directory: string): Promise<string[]> =>
    lines((await cliHere(['ls', directory, '--expired'])).stdout)
  const ALL = ['k:1', 'k:2', 'k:3', 'other']

  it.each([
    [['delete', 'k:2'], '1 would be deleted\n', { deleted: 1, missing: [], dryRun: true }],
    [['delete', 'k:2', 'k:3'], '2 would be deleted\n', { deleted: 2, missing: [], dryRun: true }],
    [['delete', '--prefix', 'k:'], '3 would be deleted\n', { deleted: 3, dryRun: true }],
    [['expire'], '1 would be removed\n', { removed: 1, dryRun: true }],
    [['evict', 't'], '3 would be removed\n', { removed: 3, dryRun: true }],
    [['cull'], '1 expired, 0 B beyond the limits\n', { expired: 1, excessBytes: 0, excessItems: 0, dryRun: true }],
    [['clear'], '4 would be removed\n', { removed: 4, dryRun: true }],
  ] as const)('tells with --dry-run what it would do: %j', async ([command, ...operands], told, document) => {
    const directory = await filled()
    const args = [command, directory, ...operands, '--dry-run']
    expect(await cliHere(args)).toEqual(done(told))
    expect(json(await cliHere([...args, '--json']))).toEqual(document)
    expect(await left(directory)).toEqual(ALL)
  })

  it.each([
    [['delete', '--prefix', 'k:'], "Delete 3 entries that begin with 'k:' in ", ['other']],
    [['evict', 't'], "Remove 3 entries with the tag 't' from ", ['other']],
    [['cull'], '1 expired, 0 B beyond the limits in ', ['k:2', 'k:3', 'other']],
    [['clear'], 'Remove all 4 entries from ', []],
  ] as const)('asks first, and does what it is told: %j', async ([command, ...operands], question, kept) => {
    const directory = await filled()
    const args = [command, directory, ...operands]
    const refused = await cliAsked(args, 'n')
    expect(refused).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(question + directory) })
    expect(refused.stderr).toContain('nothing was changed')
    expect(await left(directory)).toEqual(ALL)
    expect(await cliAsked(args, 'y')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d (removed|deleted)\n/),
    })
    expect(await left(directory)).toEqual(kept)
  })

  it('names keys that are not there, and exits with 1', async () => {
    const directory = await filled()
    expect(await cliHere(['delete', directory, 'k:2', 'none'])).toEqual({
      code: 1,
      stdout: '1 deleted\n',
      stderr: 'fanout-cache: there is no key none\n',
    })
    const deleted = await cliHere(['delete', directory, 'none', '7', '--key-json', '--json'])
    expect(deleted).toMatchObject({ code: 2, stderr: expect.stringContaining('the key must be JSON') })
    const missing = await cliHere(['delete', directory, '"none"', '7', '--key-json', '--json'])
    expect(missing).toMatchObject({ code: 1, stdout: '{"deleted":0,"missing":["none",7],"dryRun":false}\n' })
  })

  it('names the line of stdin that is no key', async () => {
    const wrong = await cliHere(['delete', await filled(), '--stdin', '--key-json'], { input: '"k:2"\nk:3\n' })
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('line 2 of stdin: the key must be JSON') })
  })

  it('deletes keys page by page, each once', async () => {
    const keys = Array.from({ length: 1201 }, (_, at) => `k:${at}`)
    const directory = await made(cache => cache.setMany(keys.map(key => [key, 1])))
    expect(await cliHere(['delete', directory, '--stdin'], { input: keys.join('\n') })).toEqual(done('1201 deleted\n'))
    expect(await left(directory)).toEqual([])
  })
})

describe('settings and stats', () => {
  it('take and show settings in the units of people', async () => {
    const directory = await made(cache => cache.open(), { maxItems: 5 })
    for (const [name, given, shown] of [
      ['maxItems', 'none', 'none'],
      ['maxItems', '7', '7'],
      ['statistics', 'on', 'on'],
      ['statistics', 'no', 'off'],
      ['disk.unlinkGrace', '90s', '1m 30s'],
      ['disk.minFileSize', '64KiB', '65536 (64.0 KiB)'],
      ['sqlite.cacheSize', '-2000', '-2000'],
    ] as const) {
      expect([name, await cliHere(['settings', directory, name, given])]).toEqual([name, done(`${shown}\n`)])
      expect([name, await cliHere(['settings', directory, name])]).toEqual([name, done(`${shown}\n`)])
    }
    expect(json(await cliHere(['settings', directory, 'disk.unlinkGrace', '--json']))).toBe(90_000)
  })

  it('tell how full the cache is, and its hits where they are counted', async () => {
    const directory = await made(
      async cache => {
        await cache.set('film', Buffer.alloc(2 ** 20))
        await cache.set('old', 1, { ttl: 1 })
        for (const key of ['film', 'none', 'none', 'none']) await cache.get(key)
        await cache.set('more', 1)
      },
      { statistics: true, sizeLimit: 4 * 2 ** 20, maxItems: 1000 },
    )
    const { stdout } = await cliHere(['stats', directory])
    expect(stdout).toMatch(/^entries +3 of 1,000, 1 of them expired$/m)
    expect(stdout).toMatch(/^size +1\.\d MiB of 4\.0 MiB \(2\d\.\d %\)$/m)
    expect(stdout).toMatch(/^hits +1 of 4 \(25\.0 %\)$/m)
    expect(stdout).toMatch(/^evicted +0$/m)
    expect(json(await cliHere(['stats', directory, '--json']))).toMatchObject({ hits: 1, misses: 3, evictions: 0 })
    await cliHere(['settings', directory, 'statistics', 'off'])
    expect((await cliHere(['stats', directory])).stdout).toMatch(/^hits +not counted/m)
    expect(json(await cliHere(['stats', directory, '--json']))).toMatchObject({ evictions: null })
  })
})

describe('vacuum --dry-run', () => {
  it('tells what is free at least, of the databases that are there', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = new FanoutCache(directory, { shards: 2, sqlite: { autoVacuum: 0 } })
    await cache.setMany(Array.from({ length: 200 }, (_, at) => [at, 'x'.repeat(20_000)]))
    await cache.clear()
    await cache.close()
    rmSync(join(directory, '001'), { recursive: true })
    const { code, stdout } = await cliHere(['vacuum', directory, '--dry-run'])
    expect([code, lines(stdout)]).toEqual([
      0,
      [
        expect.stringMatching(/^DATABASE +BEFORE +AFTER +FREED$/),
        expect.stringMatching(/^ *000 +\d\.\d MiB +\d+\.\d KiB +\d\.\d MiB$/),
        expect.stringMatching(/^\d\.\d MiB or more would be given back$/),
      ],
    ])
    expect((await cliHere(['vacuum', directory])).code).not.toBe(70)
  })

  it('exits with 5 where others hold the lock', async () => {
    const directory = await made(cache => cache.set('a', 1), { sqlite: { journalMode: 'delete' } })
    rawDatabase(directory).exec('BEGIN EXCLUSIVE')
    const told = await cliHere(['vacuum', directory, '--dry-run', '--timeout', '50ms'])
    expect(told).toMatchObject({ code: 5, stderr: expect.stringContaining('cannot be looked into') })
  })
})
