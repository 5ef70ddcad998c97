import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Cache, type CacheOptions } from 'fanout-cache'
import { beforeEach, describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cliHere, type Ended, json } from './support/command-line.js'
import { fileEntry, streamOf } from './transfer-support.js'

let directory: string

/** A closed cache into which is imported. */
async function made(options: CacheOptions = {}): Promise<void> {
  directory = join(temporaryDirectory(), 'cache')
  await new Cache(directory, options).open().then(cache => cache.close())
}

beforeEach(() => made())

function imported(stream: string, ...options: string[]): Promise<Ended> {
  return cliHere(['import', directory, '--yes', '--json', ...options], { input: stream })
}

async function keys(): Promise<string[]> {
  return (await cliHere(['ls', directory])).stdout.split('\n').slice(0, -1)
}

const [, CHUNK = {}, , SHA = {}] = fileEntry('f', Buffer.alloc(12))

describe('a line of a stream', () => {
  const entries: readonly (readonly [what: string, line: object, words: RegExp])[] = [
    ['without a key', { value: 1 }, /an entry must have a key/],
    ['without a value', { key: 1 }, /either value or file/],
    ['with a value and a file', { key: 1, value: 1, file: { size: 1 } }, /either value or file/],
    ['with metadata of no file', { key: 1, value: 1, meta: 1 }, /meta stands beside a file only/],
    ['that expires twice', { key: 1, value: 1, ttl: 1, expiresAt: 1 }, /expiresAt or ttl, not both/],
    ['stored at no instant', { key: 1, value: 1, storedAt: 'now' }, /storedAt must be epoch milliseconds/],
    ['that took no time', { key: 1, value: 1, computed: { took: -1 } }, /took must be milliseconds/],
    ['computed somehow', { key: 1, value: 1, computed: { took: 1, staleat: 1 } }, /did you mean staleAt/],
    ['with a file of an unknown kind', { key: 1, file: { size: 1, mod: 'text' } }, /did you mean mode/],
    ['with a file of an unknown mode', { key: 1, file: { size: 1, mode: 'film' } }, /mode must be one of raw, binary/],
    ['with a file of no size', { key: 1, file: {} }, /size must be a number/],
    ['with a file of half a byte', { key: 1, file: { size: 0.5 } }, /size must be a whole number/],
    ['counted in halves', { key: 1, value: 1, accessCount: 0.5 }, /accessCount must be a whole number/],
    ['with a number of tags', { key: 1, value: 1, tags: 5 }, /tags/],
    ['of a file that was not begun', CHUNK, /chunk: no entry before it/],
    ['that ends a file that was not begun', SHA, /sha256: no entry before it/],
    ['with bytes that are none', { key: 1, value: { $bytes: 'A' } }, /\$bytes must hold base64/],
    ['with an integer beyond 64 bits', { key: { $bigint: '9223372036854775808' }, value: 1 }, /beyond 64 bits/],
  ]
  it.each(entries)('%s is refused with its number', async (_, line, words) => {
    const { code, stderr } = await imported(streamOf([{ key: 'first', value: 1 }, line]))
    expect({ code, stderr }).toEqual({
      code: 65,
      stderr: expect.stringMatching(/^fanout-cache: line 3 of the stream: /),
    })
    expect(stderr).toMatch(words)
    expect(await keys()).toEqual([])
  })

  const files: readonly (readonly [what: string, lines: readonly object[], words: RegExp])[] = [
    ['more bytes than were announced', [CHUNK, CHUNK, CHUNK], /line 5 .*longer than its 12 bytes/],
    ['fewer bytes than were announced', [CHUNK, SHA], /line 4 .*has 6 bytes, and 12 were announced/],
    ['bytes that were changed', [CHUNK, CHUNK, { sha256: '00' }], /line 5 .*sha256 is another one/],
    ['another entry in it', [CHUNK, { key: 1, value: 1 }], /line 4 .*the file of line 2 goes on/],
  ]
  it.each(files)('shows that a file has %s', async (_, lines, words) => {
    const ended = await imported(streamOf([{ key: 'f', file: { size: 12 } }, ...lines]))
    expect(ended).toMatchObject({ code: 65, stderr: expect.stringMatching(words) })
    expect(await keys()).toEqual([])
  })

  it.each([
    ['is none of an export', '{"format":"tar"}', /no stream of export/],
    ['is of another kind', '{"kind":"Deque"}', /kind must be/],
    ['is of a codec to come', '{"codec":"constructor"}', /codec must be one of/],
    ['has no shards', '{"kind":"FanoutCache","shards":0}', /shards must be 1 or more/],
    ['is compressed to no level', '{"compressLevel":10}', /compressLevel must be a whole number from 0 to 9/],
    ['has settings that are none', '{"settings":5}', /settings must be an object/],
  ])('that is the first is refused when it %s', async (_, header, words) => {
    const ended = await imported(streamOf([], JSON.parse(header) as object))
    expect(ended).toMatchObject({ code: 65, stderr: expect.stringMatching(words) })
  })

  it.each([
    ['entries', { entries: 2 }, /2 entries were sent, and 1 came/],
    ['files', { files: 0 }, /0 files were sent, and 1 came/],
    ['bytes', { bytes: 11 }, /11 bytes were sent, and 12 came/],
    ['a text', { entries: 'one' }, /entries must be a number/],
  ])('that is the last is compared with what came: %s', async (_, end, words) => {
    const lines = streamOf(fileEntry('f', Buffer.alloc(12))).replace('{"end":{}}', JSON.stringify({ end }))
    expect(await imported(lines)).toMatchObject({ code: 65, stderr: expect.stringMatching(words) })
    expect(await keys()).toEqual([])
  })

  it('may be blank, end with a carriage return, or miss its end', async () => {
    const stream = streamOf([{ key: 'a', value: 1 }])
      .replaceAll('\n', '\r\n \n')
      .trimEnd()
    expect(json(await imported(stream))).toMatchObject({ entries: 1, stored: 1 })
    expect(await keys()).toEqual(['a'])
  })
})

describe('an entry of a stream', () => {
  it('was last used when it was stored, or now, where it does not say', async () => {
    const before = Date.now()
    const [storedAt, accessedAt] = [1_600_000_000_000, 1_600_000_001_000]
    await imported(
      streamOf([
        { key: 'both', value: 1, storedAt, accessedAt, accessCount: 3 },
        { key: 'stored', value: 1, storedAt },
        { key: 'none', value: 1 },
        { key: 'later', value: 1, accessedAt: 9e15 },
      ]),
    )
    await using cache = new Cache(directory)
    expect(await cache.info('both')).toMatchObject({ accessedAt, accessCount: 3 })
    expect(await cache.info('stored')).toMatchObject({ accessedAt: storedAt, accessCount: 0 })
    for (const key of ['none', 'later']) {
      const { accessedAt: at = 0 } = (await cache.info(key)) ?? {}
      expect([key, at >= before && at <= Date.now()]).toEqual([key, true])
    }
  })

  it('that has expired is stored where that is asked for, and else told', async () => {
    const stream = streamOf([{ key: 'old', value: 1, expiresAt: 1_600_000_000_000 }])
    expect(json(await imported(stream))).toMatchObject({ entries: 1, expired: 1, stored: 0 })
    const told = await cliHere(['import', directory, '--yes'], { input: stream })
    expect(told.stdout).toMatch(/^left out, expired +1$/m)
    expect(json(await imported(stream, '--include-expired'))).toMatchObject({ expired: 0, stored: 1 })
  })
})

describe('an import', () => {
  const three = (): string => streamOf(['a', 'b', 'c'].map(key => ({ key, value: 'new' })))

  it('tells people what it has done, and with --dry-run what it would do', async () => {
    await cliHere(['set', directory, 'a', 'old'])
    const told = async (...options: string[]): Promise<string> =>
      (await cliHere(['import', directory, '--yes', ...options], { input: three() })).stdout
    expect(await told('--dry-run')).toMatch(/^read +3 entries, 0 files of 0 B\nwould replace +1\n$/)
    expect(await told('--on-conflict', 'keep')).toMatch(/^stored +2\nreplaced +0\nkept as they were +1\n$/m)
    expect(await told()).toMatch(/^stored +3\nreplaced +3\n$/m)
  })

  it('counts with --dry-run all keys that are there, of however many', async () => {
    const entries = Array.from({ length: 450 }, (_, at) => ({ key: `k${at}`, value: 1 }))
    expect(json(await imported(streamOf(entries)))).toMatchObject({ stored: 450, replaced: 0 })
    expect(json(await imported(streamOf(entries), '--dry-run'))).toMatchObject({ entries: 450, replaced: 450 })
    expect(json(await imported(streamOf(entries), '--batch', '200'))).toMatchObject({ stored: 0, replaced: 450 })
  })

  it('of more than the limit evicts to it where that is asked for', async () => {
    await made({ sizeLimit: 2 ** 20 })
    const films = streamOf(Array.from({ length: 40 }, (_, at) => fileEntry(`film ${at}`, Buffer.alloc(60_000))).flat())
    const { evicted, stored } = json(await imported(films, '--evict')) as { evicted: number; stored: number }
    expect(stored).toBe(40)
    expect(evicted).toBeGreaterThan(20)
    const cache = new Cache(directory)
    expect(await cache.volume()).toBeLessThanOrEqual(2 ** 20)
    expect(await cache.count()).toBe(40 - evicted)
    await cache.close()
    const told = await cliHere(['import', directory, '--yes', '--evict'], { input: films })
    expect(told.stdout).toMatch(/^evicted for the limit +\d+$/m)
  })

  it.each([
    [{ evictionPolicy: 'none' }, 40],
    [{ cullLimit: 0 }, 40],
  ] as const)('of more than the limit stays where nothing is evicted: %j', async (options, count) => {
    await made({ sizeLimit: 2 ** 20, ...options })
    const films = Array.from({ length: 40 }, (_, at) => fileEntry(`film ${at}`, Buffer.alloc(60_000)))
    expect(json(await imported(streamOf(films.flat())))).toMatchObject({ stored: count, evicted: 0 })
  })

  it('refuses options that go with others', async () => {
    for (const [options, words] of [
      [['--kind', 'Cache'], '--kind goes with --create'],
      [['--shards', '2'], '--shards goes with --create'],
      [['--create', '--shards', '0'], '--shards must be 1 or more'],
      [['--create', '--shards', '2', '--kind', 'Cache'], 'a Cache has no shards'],
      [['--batch', '0'], '--batch must be 1 or more'],
    ] as const) {
      expect(await imported(three(), ...options)).toMatchObject({ code: 2, stderr: expect.stringContaining(words) })
    }
    const refused = await cliHere(['import', directory, '--yes', directory])
    expect(refused).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is a directory, not a stream of export'),
    })
    expect(await keys()).toEqual([])
  })

  it('reads a file as it reads stdin', async () => {
    const file = join(directory, '..', 'backup.jsonl')
    writeFileSync(file, three())
    expect(json(await cliHere(['import', directory, file, '--yes', '--json']))).toMatchObject({ stored: 3 })
    expect(await keys()).toEqual(['a', 'b', 'c'])
  })
})
