import { chmodSync, lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Cache, FanoutCache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { peer } from '../helpers/peers.js'
import { runPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cli, cliBytes, cliHere, done, type Ended, json, no } from './support/command-line.js'
import { runInTerminal } from './transfer-support.js'

type Runner = (args: readonly string[], surroundings?: { readonly input?: string | Uint8Array }) => Promise<Ended>

const KINDS = ['Cache', 'FanoutCache'] as const
type Kind = (typeof KINDS)[number]

/** Writes remove nothing that has expired, so that it can be looked at. */
const KEEPING = { cullLimit: 0 }

async function make(kind: Kind, directory: string): Promise<void> {
  const cache = kind === 'Cache' ? new Cache(directory, KEEPING) : new FanoutCache(directory, { shards: 2, ...KEEPING })
  await cache.set('user:1', 'Ada', { ttl: '1h', tag: 'people' })
  await cache.set('user:2', { name: 'Grace' }, { tag: 'people', tags: ['navy'] })
  await cache.set('old', 'gone', { ttl: 0 })
  await cache.set(42, Buffer.from([0, 255]))
  await cache.set('film', Buffer.alloc(100_000, 7))
  await cache.close()
}

/** The same entries, made by Python; the second value is a pickle. */
function makeInPython(kind: Kind, directory: string): Promise<unknown> {
  const body = `
cache = ${kind === 'Cache' ? 'Cache(directory, cull_limit=0)' : 'FanoutCache(directory, shards=2, cull_limit=0)'}
cache.set('user:1', 'Ada', expire=3600, tag='people')
cache.set('user:2', {'name': 'Grace'}, tag='people')
cache.set('old', 'gone', expire=-1)
cache.set(42, bytes([0, 255]))
cache.set('film', bytes([7]) * 100000)
cache.close()`
  return runPython(body, { directory })
}

/** Every command on one directory, in an order in which each leaves what the next one needs. */
async function everyCommand(run: Runner, kind: Kind, directory: string): Promise<void> {
  await looks(run, kind, directory)
  await changes(run, directory)
  await removes(run, directory)
}

async function looks(run: Runner, kind: Kind, directory: string): Promise<void> {
  const [stats, keys, people, long, text, data, bytes, info, missing, settings] = await Promise.all([
    run(['stats', directory, '--json']),
    run(['ls', directory, '--json']),
    run(['ls', directory, '--tag', 'people', '--prefix', 'user:', '--limit', '1']),
    run(['ls', directory, '--long', '--json', '--prefix', 'user:1']),
    run(['get', directory, 'user:1']),
    run(['get', directory, 'user:2']),
    run(['get', directory, '42', '--key-json', '--json']),
    run(['get', directory, 'film', '--info', '--json']),
    run(['get', directory, 'nobody']),
    run(['settings', directory, 'evictionPolicy']),
  ])
  expect(json(stats)).toMatchObject({ kind, directory, count: 5, expired: 1, sizeLimit: 2 ** 30, statistics: false })
  const listed = keys.stdout.trim().split('\n')
  expect(listed.sort()).toEqual(['{"key":"film"}', '{"key":"user:1"}', '{"key":"user:2"}', '{"key":42}'])
  expect(people.stdout).toMatch(/^user:[12]\n$/)
  expect(json(long)).toMatchObject({ key: 'user:1', size: 3, tag: 'people', expiresAt: expect.any(Number) })
  expect(text).toEqual(done('Ada'))
  expect(data).toEqual(done('{"name":"Grace"}\n'))
  expect(json(bytes)).toEqual({ $bytes: 'AP8=' })
  expect(json(info)).toMatchObject({ size: 100_000, path: expect.stringMatching(/\.val$/) })
  expect(missing).toEqual(no('there is no key nobody'))
  expect(settings).toEqual(done('least-recently-stored\n'))
}

async function changes(run: Runner, directory: string): Promise<void> {
  expect(await run(['set', directory, 'greeting', 'hello', '--ttl', '1h', '--tag', 'texts'])).toEqual(done(''))
  expect(await run(['set', directory, 'greeting', 'hi', '--add'])).toEqual(no('there is a key greeting already'))
  expect(await run(['set', directory, 'piped', '-', '--text'], { input: 'from a pipe' })).toEqual(done(''))
  expect(await run(['get', directory, 'piped'])).toEqual(done('from a pipe'))
  expect(json(await run(['touch', directory, 'greeting', '--ttl', 'never', '--json']))).toMatchObject({ touched: true })
  expect(json(await run(['get', directory, 'greeting', '--info', '--json']))).not.toHaveProperty('expiresAt')
  expect(await run(['incr', directory, 'visits'])).toEqual(done('1\n'))
  expect(await run(['incr', directory, 'visits', '-5'])).toEqual(done('-4\n'))
  expect(await run(['settings', directory, 'sizeLimit', '2GB'])).toEqual(done('2000000000 (1.9 GiB)\n'))
  expect(await run(['settings', directory, 'sizeLimit', '2GiB'])).toEqual(done('2147483648 (2.0 GiB)\n'))
}

async function removes(run: Runner, directory: string): Promise<void> {
  expect(await run(['delete', directory, 'greeting', 'piped', 'visits'])).toEqual(done('3 deleted\n'))
  expect(await run(['expire', directory, '--dry-run'])).toEqual(done('1 would be removed\n'))
  expect(await run(['expire', directory])).toEqual(done('1 removed\n'))
  expect(await run(['evict', directory, 'people', '--dry-run'])).toEqual(done('2 would be removed\n'))
  expect(await run(['evict', directory, 'people', '--yes'])).toEqual(done('2 removed\n'))
  expect(await run(['cull', directory, '--dry-run'])).toEqual(done('0 expired, 0 B beyond the limits\n'))
  expect(await run(['cull', directory, '--yes'])).toEqual(done('0 removed\n'))
  expect(await run(['delete', directory, '--prefix', 'fi', '--yes'])).toEqual(done('1 deleted\n'))
  expect(await run(['clear', directory, '--yes'])).toEqual(done('1 removed\n'))
  expect(json(await run(['stats', directory, '--json']))).toMatchObject({ count: 0 })
}

describe('every command', () => {
  it.each(KINDS)('works on a %s of ours', async kind => {
    const directory = temporaryDirectory()
    await make(kind, directory)
    await everyCommand(cliHere, kind, directory)
  })

  it.runIf(peer('python'))('works on a Cache that Python has made', async () => {
    const directory = temporaryDirectory()
    await makeInPython('Cache', directory)
    await everyCommand(cliHere, 'Cache', directory)
  })

  it.runIf(peer('python'))(
    'works as a process of its own on a FanoutCache that Python has made, and Python finds no fault in it',
    async () => {
      const directory = temporaryDirectory()
      await makeInPython('FanoutCache', directory)
      await everyCommand(cli, 'FanoutCache', directory)
      await cli(['set', directory, 'from node', '42', '--value-json', '--ttl', '1h'])
      const body = `
cache = FanoutCache(directory, shards=2)
return [cache.get('from node'), len(cache), [str(w.message) for w in cache.check()]]`
      expect(await runPython(body, { directory })).toEqual([42, 1, []])
    },
  )

  it.each(KINDS)('works beside two processes that write to a %s', async kind => {
    const directory = temporaryDirectory()
    await make(kind, directory)
    const script = new URL('./fixtures/writer.mjs', import.meta.url)
    const writers = ['a', 'b'].map(name => new FixtureProcess(script, { kind, directory, name }))
    await Promise.all(writers.map(writer => writer.line('ready')))
    // As processes of their own on one kind: that is what takes the time.
    const run: Runner = kind === 'Cache' ? cliHere : cli
    // The writers expire and add entries meanwhile: what is compared is what is not theirs.
    expect(json(await run(['stats', directory, '--json']))).toMatchObject({ kind })
    expect((await run(['ls', directory, '--prefix', 'user:'])).stdout.split('\n').sort()).toEqual([
      '',
      'user:1',
      'user:2',
    ])
    expect(await run(['get', directory, 'user:2'])).toEqual(done('{"name":"Grace"}\n'))
    await changes(run, directory)
    expect(await run(['delete', directory, 'greeting', 'piped', 'visits'])).toEqual(done('3 deleted\n'))
    for (const command of [['expire'], ['evict', 'busy', '--yes'], ['cull', '--yes'], ['clear', '--yes']]) {
      const [name = '', ...others] = command
      const ended = await run([name, directory, ...others])
      expect(ended).toEqual(done(expect.stringMatching(/^\d+ removed\n$/) as string))
    }
    for (const writer of writers) writer.send('stop')
    for (const writer of writers) expect((await writer.done()).at(-1)).toMatch(/^written \d+$/)
    expect(json(await cliHere(['settings', directory, '--json']))).toMatchObject({ sizeLimit: 2 ** 31 })
    const cache = kind === 'Cache' ? new Cache(directory) : new FanoutCache(directory)
    expect(await cache.check()).toEqual([])
    await cache.close()
  })
})

it('cull --dry-run counts no entry twice that has expired and is beyond the limit', async () => {
  const directory = join(temporaryDirectory(), 'cache')
  const cache = new Cache(directory, { cullLimit: 0, maxItems: 2 })
  for (let at = 0; at < 5; at++) await cache.set(at, at, { ttl: at < 2 ? 1 : null })
  await cache.close()
  await expect
    .poll(async () => (await cliHere(['cull', directory, '--dry-run'])).stdout)
    .toBe('2 expired, 0 B and 1 entries beyond the limits\n')
})

it('incr counts on where a number has too few digits, and adds to fractions', async () => {
  const directory = temporaryDirectory()
  const incr = async (...args: string[]): Promise<string> => {
    const { stdout, stderr } = await cliHere(['incr', directory, ...args])
    return stdout || stderr
  }
  await cliHere(['set', directory, 'n', '9007199254740991', '--value-json', '--create'])
  expect(await incr('n')).toBe('9007199254740992\n')
  expect(await incr('n', '5')).toBe('9007199254740997\n')
  expect(await incr('n', '--json')).toBe('{"key":"n","value":{"$bigint":"9007199254740998"}}\n')
  expect(await incr('n', '-9007199254740997')).toBe('1\n')
  expect(await incr('n', '0.5')).toBe('1.5\n')
  expect(await incr('n', '1')).toBe('2.5\n')
  expect(await incr('new', '1', '--default', '9007199254740993')).toBe('9007199254740994\n')
  await incr('top', '9223372036854775807')
  expect(await incr('top')).toMatch(/'top' would leave the range of 64-bit integers/)
})

describe('set and get', () => {
  it('carry bytes through files and pipes as they are', async () => {
    const directory = join(temporaryDirectory(), 'new')
    const file = join(temporaryDirectory(), 'in')
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7) % 256))
    writeFileSync(file, bytes)
    expect(await cli(['set', directory, 'file', '--file', file, '--create', '--kind', 'Cache'])).toEqual(done(''))
    const piped = await cliBytes(['set', directory, 'pipe', '-'], { input: bytes })
    expect(piped).toMatchObject({ code: 0, stderr: '' })
    expect((await cliBytes(['get', directory, 'pipe'])).bytes.equals(bytes)).toBe(true)
    expect(await cliHere(['get', directory, 'file', '--out', `${file}.copy`])).toEqual(done(''))
    expect(readFileSync(`${file}.copy`).equals(bytes)).toBe(true)
    expect(await cliHere(['stats', directory])).toMatchObject({ stdout: expect.stringContaining('(Cache)') })
    for (const empty of [
      ['empty', ''],
      ['no bytes', '{"$bytes":""}', '--value-json'],
    ]) {
      expect(await cliHere(['set', directory, ...empty])).toEqual(done(''))
      expect(await cliHere(['get', directory, empty[0] ?? ''])).toEqual(done(''))
    }
  })

  it('write to a link or a device, and put no file in its place', async () => {
    const directory = temporaryDirectory()
    await make('Cache', directory)
    const link = join(directory, 'link.cache.db')
    symlinkSync('/dev/null', link)
    for (const key of ['user:1', 'film'])
      expect(await cliHere(['get', directory, key, '--out', link])).toEqual(done(''))
    expect(await cliHere(['export', directory, link])).toEqual(done(''))
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
  })

  it.runIf(peer('python')).each([{}, { disk_compress_level: 6 }])(
    'know a directory of JSONDisk, with its level of compression: %j',
    async level => {
      const root = temporaryDirectory()
      await runPython(
        `
        for Kind in (Cache, FanoutCache):
            with Kind(root + '/' + Kind.__name__, disk=diskcache.JSONDisk, **level) as cache:
                cache['text'] = 'hello'
                cache['data'] = {'a': [1]}
        `,
        { root, level },
      )
      for (const kind of KINDS) {
        const directory = join(root, kind)
        expect(await cliHere(['get', directory, 'text'])).toEqual(done('hello'))
        expect(await cliHere(['get', directory, 'data', '--codec', 'json'])).toEqual(done('{"a":[1]}\n'))
        expect((await cliHere(['ls', directory])).stdout.split('\n').sort()).toEqual(['', 'data', 'text'])
        expect(await cliHere(['set', directory, 'from here', 'new'])).toEqual(done(''))
        const input = '{"format":"fanout-cache","version":1,"kind":"Cache"}\n{"key":"else","value":1}\n{"end":{}}\n'
        const refused = await cliHere(['import', directory, '--yes'], { input })
        expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/JSONDisk.*--codec json; nothing/) })
      }
      const seen = await runPython(
        `
        seen = []
        for Kind in (Cache, FanoutCache):
            with Kind(root + '/' + Kind.__name__, disk=diskcache.JSONDisk, **level) as cache:
                seen += [sorted(cache), cache['from here']]
        return seen
        `,
        { root, level },
      )
      const keys = ['data', 'from here', 'text']
      expect(seen).toEqual([keys, 'new', keys, 'new'])
    },
  )

  it('leave a file that they replace the rights that it had', async () => {
    const directory = temporaryDirectory()
    await make('Cache', directory)
    const file = join(directory, 'file.cache.db')
    for (const [mode, ...args] of [
      [0o600, 'get', directory, 'film', '--out', file],
      [0o666, 'export', directory, file],
    ] as const) {
      writeFileSync(file, 'before')
      chmodSync(file, mode)
      expect(await cliHere(args)).toEqual(done(''))
      expect(statSync(file).mode & 0o777).toBe(mode)
      expect(statSync(file).size).toBeGreaterThan(1000)
    }
  })

  it('take bytes that are no text for none', async () => {
    const directory = temporaryDirectory()
    await make('Cache', directory)
    const refused = await cliHere(['set', directory, 'latin', '-', '--text'], {
      input: Buffer.from('na\xefve', 'latin1'),
    })
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(/must be UTF-8; without it/) })
    expect(await cliHere(['get', directory, 'latin'])).toMatchObject({ code: 1 })
    const marked = '\ufeffnaïve'
    await cliHere(['set', directory, 'marked', '-', '--text'], { input: marked })
    expect(await cliHere(['get', directory, 'marked', '--json'])).toEqual(done(`${JSON.stringify(marked)}\n`))
  })

  it('keep what JSON has no form for, as tagged JSON', async () => {
    const directory = join(temporaryDirectory(), 'new')
    const values = [
      '[1.5,{"$number":"NaN"},{"$number":"-0"}]',
      '{"$bigint":"123456789012345678901234567890"}',
      '[1152921504606847000,9007199254740992,1e+300,"\\"9007199254740993\\\\",["1e999"]]',
      '{"a":{"$bytes":"AAEC"},"b":{"$date":"2026-01-02T03:04:05.006Z"}}',
      '[{"$map":[[1,{"$set":["a"]}]]},{"$regexp":["a+","gi"]}]',
      '{"$array":["Float32Array","AACAPw=="]}',
      '{"$array":["ArrayBuffer","AAE="]}',
      '{"$date":null}',
      // Node 24 has it.
      ...('Float16Array' in globalThis ? ['{"$array":["Float16Array","ADw="]}'] : []),
      '{"$object":{"$bytes":{"$object":{"$x":1}}}}',
      '{"e":{"$error":{"name":"TypeError","message":"no"}},"u":{"$undefined":true}}',
      '{"__proto__":{"a":1},"constructor":2}',
    ]
    for (const value of values) {
      expect(await cliHere(['set', directory, 'key', value, '--value-json', '--create'])).toEqual(done(''))
      expect(await cliHere(['get', directory, 'key', '--json'])).toEqual(done(`${value}\n`))
    }
    expect(await cliHere(['set', directory, 'key', '-', '--value-json'], { input: '[{"$set":[]}]' })).toEqual(done(''))
    expect(await cliHere(['get', directory, 'key'])).toEqual(done('[{"$set":[]}]\n'))
  })

  it('say of a value that JSON has no form for, which has', async () => {
    const directory = join(temporaryDirectory(), 'new')
    const cache = new Cache(directory)
    const circle: unknown[] = []
    circle.push(circle)
    await cache.set('circle', circle)
    await cache.set('view', new Uint16Array([1, 2, 3]).subarray(1, 2))
    await cache.close()
    const refused = await cliHere(['get', directory, 'circle'])
    expect(refused).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('export keeps it as it is') })
    expect(await cliHere(['get', directory, 'view'])).toEqual(done('{"$array":["Uint16Array","AgA="]}\n'))
  })

  it('refuse a value that is larger than the limit of the cache', async () => {
    const directory = join(temporaryDirectory(), 'small')
    await new Cache(directory, { sizeLimit: 65_536 }).open().then(cache => cache.close())
    const refused = await cliHere(['set', directory, 'film', '-'], { input: Buffer.alloc(100_000) })
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('larger than') })
  })

  it.runIf(peer('python'))('read and find again every kind of key and value that Python stores', async () => {
    const directory = temporaryDirectory()
    await runPython(
      `
cache = Cache(directory)
for key in [('a', 'a'), ('x', 1, 2.5), None, True, 2 ** 70, b'\\x00\\x01', 1.5, -3, 'text', (), ('n', (None, False))]:
  cache.set(key, {'key': repr(key), 'tuple': (1, 2)})
cache.close()`,
      { directory },
    )
    const { stdout } = await cliHere(['ls', directory, '--json'])
    const keys = stdout
      .trim()
      .split('\n')
      .map(line => JSON.stringify((JSON.parse(line) as { key: unknown }).key))
    expect(keys).toHaveLength(11)
    for (const key of keys) {
      const found = await cliHere(['get', directory, key, '--key-json'])
      expect({ key, ...found }).toMatchObject({ key, code: 0, stdout: expect.stringContaining('"tuple":[1,2]') })
    }
    const deleted = await cliHere(['delete', directory, '--stdin', '--key-json', '--json'], { input: stdout })
    expect(json(deleted)).toEqual({ deleted: 11, missing: [], dryRun: false })
  })

  it.runIf(peer('python'))('read directories of JSONDisk with --codec json', async () => {
    const directory = temporaryDirectory()
    const made = `Cache(directory, disk=JSONDisk).set('key', {'a': [1, None]})`
    await runPython(`return ${made}`, { directory })
    expect(await cliHere(['get', directory, 'key', '--codec', 'json'])).toEqual(done('{"a":[1,null]}\n'))
    await cliHere(['set', directory, 'new', '{"b":2}', '--value-json', '--codec', 'json'])
    const read = `return Cache(directory, disk=JSONDisk)['new']['b']`
    expect(await runPython(read, { directory })).toBe(2)
  })
})

describe.runIf(peer('python'))('a terminal', () => {
  it('is shown text without what would act on it, and no bytes', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory)
    const letters = '\u001b[31mred\u0007\tend\nbare \r here\n'
    await cache.setMany([
      ['letters', letters],
      ['film', 'é'.repeat(40_000)],
      ['bytes', Buffer.from([1, 0, 255])],
    ])
    await cache.close()
    const shown = '\\u001b[31mred\\u0007\tend\r\nbare \\r here\r\n'
    expect(await runInTerminal('get', directory, 'letters')).toMatchObject({ code: 0, stdout: shown })
    expect(await runInTerminal('get', directory, 'film')).toMatchObject({ code: 0, stdout: 'é'.repeat(40_000) })
    const refused = await runInTerminal('get', directory, 'bytes')
    expect(refused).toMatchObject({ code: 2, stdout: expect.stringContaining('no text, which a terminal could show') })
    expect(await cli(['get', directory, 'letters'])).toMatchObject({ code: 0, stdout: letters })
  })

  it('is not read from by what wants a stream', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory)
    await cache.set('key', 1)
    await cache.close()
    for (const args of [
      ['import', directory],
      ['import', join(directory, 'new'), '--create'],
      ['delete', directory, '--stdin'],
      ['set', directory, 'key', '-'],
    ]) {
      const stdout = expect.stringContaining('stdin is a terminal') as string
      expect(await runInTerminal(...args)).toMatchObject({ code: 2, stdout })
    }
  })
})

describe('a listing', () => {
  it('shows keys that would act on a terminal as JSON writes them', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory)
    await cache.set('red \u001b[31m\u009b\u202e\u200f\nline', 1)
    await cache.close()
    expect(await cliHere(['ls', directory])).toEqual(done('red \\u001b[31m\\u009b\\u202e\\u200f\\nline\n'))
  })

  it.each([
    ['as they are', [], ['a\u2028b', 'c\rd', 'é\u0085', ' e ']],
    ['as JSON', ['--key-json'], ['{"key":"a\u2028b"}', '"c\\rd"', '{"key":"é\u0085"}', ' " e " ']],
  ])('names keys to delete by the line, whatever else a line could end with: %s', async (_name, options, lines) => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory)
    await cache.setMany(['a\u2028b', 'c\rd', 'é\u0085', ' e ', 'a', 'b', 'c', 'd', 'é'].map(key => [key, 1]))
    await cache.close()
    const input = `${lines[0]}\n${lines[1]}\r\n\n${lines[2]}\n${lines[3]}`
    const deleted = await cliHere(['delete', directory, '--stdin', '--json', ...options], { input })
    expect(json(deleted)).toEqual({ deleted: 4, missing: [], dryRun: false })
    expect((await cliHere(['ls', directory])).stdout.split('\n')).toEqual(['a', 'b', 'c', 'd', 'é', ''])
  })

  it('names keys to delete with a byte order mark that is part of the first', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory)
    await cache.setMany(['a', '\ufeffa', '\ufeffb'].map(key => [key, 1]))
    await cache.close()
    const deleted = await cli(['delete', directory, '--stdin', '--json'], { input: '\ufeffa\n\ufeffb\n' })
    expect(json(deleted)).toEqual({ deleted: 2, missing: [], dryRun: false })
    expect(await cli(['get', directory, 'a'])).toEqual(done('1\n'))
  })

  it('deletes no other key for bytes that are no text', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory)
    await cache.set('\ufffd', 1)
    await cache.close()
    const refused = await cli(['delete', directory, '--stdin'], { input: Buffer.from([0xff, 10]) })
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('stdin is no text in UTF-8') })
    expect(await cli(['get', directory, '\ufffd'])).toEqual(done('1\n'))
  })

  it('ends quietly when nobody reads on', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory)
    await cache.setMany(Array.from({ length: 20_000 }, (_, at) => [`key ${at} ${'x'.repeat(40)}`, at] as const))
    await cache.close()
    const { spawnSync } = await import('node:child_process')
    const script = `"${process.execPath}" bin/fanout-cache.cjs ls "$1" | head -n 2; echo "\${PIPESTATUS[0]}"`
    const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', directory], { encoding: 'utf8' })
    expect({ lines: stdout.split('\n').slice(2), stderr }).toEqual({ lines: ['0', ''], stderr: '' })
  })
})

describe('help', () => {
  it.each([['help'], ['--help'], ['help stats'], ['stats --help']])('is an answer: %s', async line => {
    const { code, stdout, stderr } = await cli(line.split(' '))
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^Usage: fanout-cache .*Examples:\n/s)
  })
})

describe('looking', () => {
  it('changes no file of a database', async () => {
    const directory = temporaryDirectory()
    await make('Cache', directory)
    const before = readFileSync(join(directory, 'cache.db'))
    for (const command of ['stats', 'ls', 'settings']) await cliHere([command, directory])
    await cliHere(['get', directory, 'user:1'])
    await cliHere(['clear', directory, '--dry-run'])
    expect(readFileSync(join(directory, 'cache.db')).equals(before)).toBe(true)
  })
})

it('set gives a file and its folder the modes of what is there', async () => {
  const directory = join(temporaryDirectory(), 'a')
  const cache = new FanoutCache(directory, { shards: 1, disk: { directoryMode: 0o2770, fileMode: 0o660 } })
  await cache.set('key', 1)
  await cache.close()
  expect(await cli(['set', directory, 'file', '-'], { input: 'x'.repeat(40_000) })).toEqual(done(''))
  const again = new FanoutCache(directory)
  const { path = '' } = (await again.info('file')) ?? {}
  await again.close()
  const modes = [path, dirname(path)].map(name => (statSync(join(directory, name)).mode & 0o777).toString(8))
  expect(modes).toEqual(['660', '770'])
})
