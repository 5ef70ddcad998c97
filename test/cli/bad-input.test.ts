import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { Cache, FanoutCache } from 'fanout-cache'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { run } from '../../dist/cli.mjs'
import { FixtureProcess } from '../helpers/child-process.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { BIN, cli, cliHere, type Ended } from './support/command-line.js'

const NOBODY = 65534
const DEEP = '['.repeat(20_000) + ']'.repeat(20_000)
let directory: string

beforeEach(async () => {
  directory = join(temporaryDirectory(), 'cache')
  const cache = new Cache(directory)
  await cache.set('text', 'not a number')
  await cache.close()
})

/** One sentence on stderr, and nothing else. */
function sentence(code: number, words: RegExp | string): Ended {
  const line = typeof words === 'string' ? words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : words.source
  return {
    code,
    stdout: '',
    stderr: expect.stringMatching(new RegExp(`^fanout-cache: [^\\n]*${line}[^\\n]*\\n$`)) as string,
  }
}

const WRONG: readonly (readonly [line: string, words: string])[] = [
  ['', 'say what to do'],
  ['stast DIR', "unknown command 'stast'; did you mean stats?"],
  ['help stast', "unknown command 'stast'; did you mean stats?"],
  ['del DIR user:1', "unknown command 'del'; did you mean delete?"],
  ['help del', "unknown command 'del'; did you mean delete?"],
  ['help ab', "unknown command 'ab'; fanout-cache --help lists them"],
  ['help frobnicate', "unknown command 'frobnicate'; fanout-cache --help lists them"],
  ['frobnicate DIR', 'fanout-cache --help lists them'],
  ['--jsn', "unknown option '--jsn'; the command comes first"],
  ['get DIR -key', 'what begins with - and is none goes behind --'],
  ['DIR stats', 'the command comes first: fanout-cache stats'],
  ['stats', "missing required argument 'directory'"],
  ['stats DIR more', 'too many arguments'],
  ['ls DIR --prefx a', "unknown option '--prefx'; did you mean --prefix?"],
  ['ls DIR --prefix', 'argument missing'],
  ['ls DIR --limit x', 'it must be a whole number'],
  ['ls DIR --timeout 5x', '--timeout must be milliseconds or a string such as'],
  ['ls DIR --codec yaml', 'Allowed choices are structured, json, pickle'],
  ['get DIR', "missing required argument 'key'"],
  ['get DIR {1 --key-json', 'the key must be JSON'],
  ['get DIR {"$bytes":"*"} --key-json', '$bytes must hold base64'],
  ['set DIR key', 'give one value'],
  ['set DIR key value --file x', 'give one value'],
  ['set DIR key --file /no/such/file', 'no such file'],
  ['set DIR key --file /', 'is a directory'],
  ['set DIR key {} --value-json --text', 'exclude each other'],
  ['set DIR key {"$date":"x"} --value-json', '$date must hold an ISO date'],
  ['set DIR key {"$dat":"x"} --value-json', 'unknown tag $dat'],
  ['get DIR 9007199254740993 --key-json', 'the key: 9007199254740993 is beyond what a number holds'],
  [`get DIR 1${'0'.repeat(400)} --key-json`, `the key: 1${'0'.repeat(39)}… is beyond`],
  ['delete DIR ["a",-9007199254740993] --key-json', '{"$bigint":"…"}'],
  ['set DIR key {"a":1e400} --value-json', 'the value: 1e400 is beyond what a number holds'],
  ['set DIR key value --meta [12345678901234567890]', 'it: 12345678901234567890 is beyond'],
  ['set DIR key DEEP --value-json', 'the value is nested more than 1000 deep'],
  ['set DIR key value --ttl soon', "got 'soon'"],
  ['set DIR key value --meta {', 'it must be JSON'],
  ['set DIR key value --kind Cache', '--kind goes with --create'],
  ['delete DIR', 'say what to delete'],
  ['delete DIR a --prefix b --yes', 'say what to delete'],
  ['delete DIR --prefix a', 'this needs --yes'],
  ['touch DIR text', 'say what to change'],
  ['incr DIR text', "the value of 'text' is not a number"],
  ['incr DIR n much', "it must be a number, got 'much'"],
  ['clear DIR', 'this needs --yes'],
  ['evict DIR tag', 'this needs --yes'],
  ['evict DIR [1] --tag-json --yes', 'the tag must be text, a number or bytes'],
  ['ls DIR --tag null --tag-json', 'the tag must be text, a number or bytes'],
  ['get DIR {"$map":[]} --key-json', 'key'],
  ['settings DIR sizeLimi', "unknown setting 'sizeLimi'; did you mean sizeLimit?"],
  ['settings DIR constructor', "unknown setting 'constructor'"],
  ['settings DIR sizeLimit much', 'bytes or a size such as'],
  ['settings DIR sizeLimit 1', 'at least 65536'],
  ['settings DIR cullLimit -1', 'cullLimit'],
  ['settings DIR statistics maybe', 'must be on or off'],
  ['settings DIR evictionPolicy random', 'must be one of'],
  ['settings DIR sqlite.autoVacuum 2', 'only when a directory is made'],
  ['watch DIR --every 25d', '--every must be 100ms to 24 days'],
  ['watch DIR --every 99ms', '--every must be 100ms to 24 days'],
  ['completions fish', 'the shell must be bash or zsh'],
  ['completions constructor', 'the shell must be bash or zsh'],
  ['check DIR --set-aside', '--set-aside goes with --fix'],
  ['settings DIR sizeLimit 100000I', 'bytes or a size such as'],
  ['evict DIR {"$number":"NaN"} --tag-json --yes', 'the tag must be text, a number or bytes'],
  ['set DIR key {"$map":[[1,2,3]]} --value-json', '$map must hold pairs [key, value]'],
  ['set DIR key {"$array":["Float32Array","AAA="]} --value-json', '$array must hold bytes of whole elements'],
  ['set DIR key {"$array":["Float31Array","AAA="]} --value-json', '$array must hold [type, base64]'],
  ['set DIR key {"$regexp":["(",""]} --value-json', '$regexp must hold [source, flags]'],
]

describe('a command line that is wrong', () => {
  it('is one sentence and exit code 2, whatever is wrong with it', async () => {
    for (const [line, words] of WRONG) {
      const args = line.split(' ').filter(Boolean)
      const meant: ReadonlyMap<string, string> = new Map([
        ['DIR', directory],
        ['DEEP', DEEP],
      ])
      const ended = await cliHere(args.map(word => meant.get(word) ?? word))
      expect([line, ended]).toEqual([line, sentence(2, words)])
    }
  })

  it('is quoted without what would act on a terminal', async () => {
    const header = '{"format":"fanout-cache","version":1,"kind":"Cache"}'
    const streamed = await cliHere(['import', directory, '--yes'], { input: `${header}\n{"\\u001b]0;x\\u0007":1}\n` })
    expect(streamed).toEqual(sentence(65, 'unknown option \\u001b]0;x\\u0007;'))
    expect(await cliHere(['ls', `${directory}/\u001b[2J`])).toEqual(sentence(3, '/\\u001b[2J'))
    const cache = new FanoutCache(temporaryDirectory())
    await cache.set('key', 1)
    await cache.cache('\u009b2J').set('key', 1)
    await cache.close()
    const exported = await cliHere(['export', cache.directory])
    expect(exported.stderr).toContain('\\u009b2J')
    expect(exported.stderr).not.toContain('\u009b')
  })

  it('changes nothing before it is understood', async () => {
    const missing = join(temporaryDirectory(), 'missing')
    expect(await cliHere(['set', missing, 'key', '--create'])).toEqual(sentence(2, 'give one value'))
    expect(await cliHere(['stats', missing])).toEqual(sentence(3, 'there is no directory'))
  })

  it.each([
    ['set', 'text', '-'],
    ['delete', '--stdin'],
    ['import', '--yes'],
  ])('%s reads no directory for stdin', (command, ...others) => {
    const stdin = openSync(directory, 'r')
    onTestFinished(() => closeSync(stdin))
    const { status, stderr } = spawnSync(process.execPath, [BIN, command, directory, ...others], { stdio: [stdin] })
    expect({ code: status, stdout: '', stderr: String(stderr) }).toEqual(sentence(2, 'stdin is a directory'))
  })

  it('is told by the program as it is by the library', async () => {
    expect(await cli(['stast', directory])).toEqual(sentence(2, 'did you mean stats?'))
    expect(await cli(['stats', `${directory}/none`])).toEqual(sentence(3, 'there is no directory'))
  })
})

describe('a place that is no cache', () => {
  it('is named as what it is, and nothing is made there', async () => {
    const empty = temporaryDirectory()
    const years = temporaryDirectory()
    mkdirSync(join(years, '2024'))
    const file = join(directory, 'cache.db')
    const places: readonly (readonly [path: string, words: string])[] = [
      [join(empty, 'missing'), 'there is no directory'],
      [empty, 'is empty: there is no cache in it'],
      [years, 'is no cache: it holds neither cache.db nor shards'],
      [file, `is a file, not the directory of a cache; name the directory it is in: ${directory}`],
      [join(file, 'below'), 'there is no directory'],
    ]
    for (const [path, words] of places) {
      for (const args of [
        ['stats', path],
        ['set', path, 'key', 'value'],
        ['get', path, 'key'],
      ]) {
        expect(await cliHere(args)).toEqual(sentence(3, words))
      }
    }
    expect(await cliHere(['stats', ''])).toEqual(sentence(2, 'directory must be a path'))
  })

  it('is empty when its shards have no database yet, and becomes a cache on demand', async () => {
    const root = temporaryDirectory()
    for (const shard of ['001', '002']) mkdirSync(join(root, shard))
    expect(await cliHere(['stats', root])).toEqual(sentence(3, 'is empty: there is no cache in it'))
    expect(await cliHere(['set', root, 'key', 'value', '--create'])).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await cliHere(['get', root, 'key'])).toMatchObject({ code: 0, stdout: 'value' })
    const years = temporaryDirectory()
    mkdirSync(join(years, '202'))
    writeFileSync(join(years, '202', 'diary'), '')
    expect(await cliHere(['set', years, 'key', 'value', '--create'])).toEqual(sentence(3, 'is no cache'))
  })

  it.each([
    [
      'another program',
      (file: string) => rawDatabase(dirname(file)).exec('CREATE TABLE notes (text)'),
      'is the database of another program',
    ],
    ['nobody yet', (file: string) => writeFileSync(file, ''), 'holds nothing'],
  ])('is left as it is when its cache.db is of %s', async (_who, make, words) => {
    const root = temporaryDirectory()
    const file = join(root, 'cache.db')
    make(file)
    const before = readFileSync(file)
    const stream = '{"format":"fanout-cache","version":1,"kind":"Cache"}\n{"end":{}}\n'
    for (const args of [
      'stats',
      'ls',
      'set key value',
      'clear --yes',
      'settings statistics on',
      'check --fix --yes',
      'vacuum',
      'import --yes',
    ]) {
      const [command = '', ...others] = args.split(' ')
      const ended = await cliHere([command, root, ...others], { input: stream })
      expect(ended, args).toEqual(sentence(3, `${root} is no cache: its cache.db ${words}`))
    }
    expect(await cliHere(['doctor', root])).toMatchObject({ code: 1, stdout: expect.stringContaining('trouble') })
    expect(readdirSync(root)).toEqual(['cache.db'])
    expect(readFileSync(file).equals(before)).toBe(true)
    // An empty one becomes a cache where that is asked for.
    const created = await cliHere(['set', root, 'key', 'value', '--create', '--kind', 'Cache'])
    expect(created.code).toBe(words === 'holds nothing' ? 0 : 3)
  })

  it('is not written to when it is one shard of a FanoutCache', async () => {
    const root = temporaryDirectory()
    const cache = new FanoutCache(root, { shards: 2 })
    await cache.set('key', 1)
    await cache.close()
    expect(await cliHere(['stats', join(root, '001')])).toMatchObject({ code: 0 })
    const written = await cliHere(['set', join(root, '001'), 'key', '2'])
    expect(written).toEqual(sentence(3, `is one shard of the FanoutCache in ${root}: name that directory`))
  })
})

describe('a database that cannot be used', () => {
  const commands = (): string[][] => [
    ['stats', directory],
    ['get', directory, 'text'],
    ['set', directory, 'text', 'new'],
  ]

  async function expectAll(code: number, words: RegExp): Promise<void> {
    for (const args of commands()) expect(await cliHere(args)).toEqual(sentence(code, words))
  }

  it('is told when it is binary junk, and stays where it is', async () => {
    writeFileSync(join(directory, 'cache.db'), Buffer.alloc(20_000, 0x5a))
    await expectAll(4, /is damaged: .*not a database/)
    const root = temporaryDirectory()
    await new FanoutCache(root, { shards: 2 }).open().then(cache => cache.close())
    writeFileSync(join(root, '001', 'cache.db'), Buffer.alloc(20_000, 0x5a))
    expect(await cliHere(['clear', root, '--yes'])).toEqual(sentence(4, /001 is damaged/))
  })

  it('is told when it is of a version to come', async () => {
    rawDatabase(directory).exec('CREATE TRIGGER later AFTER INSERT ON Cache BEGIN SELECT 1; END')
    await expectAll(4, /trigger later on Cache is not its own/)
  })

  it('is told when it belongs to something else', async () => {
    writeFileSync(join(directory, 'cache.db'), '')
    rawDatabase(directory).exec('CREATE TABLE Settings (a); CREATE TABLE Cache (b)')
    await expectAll(4, /is not its own/)
  })

  it.each(['Cache', 'FanoutCache'])('is told when the lock of a %s is not free in time', async kind => {
    const root = kind === 'Cache' ? directory : temporaryDirectory()
    if (kind === 'FanoutCache') await new FanoutCache(root, { shards: 1 }).open().then(cache => cache.close())
    const db = rawDatabase(kind === 'Cache' ? root : join(root, '000'))
    db.exec('BEGIN IMMEDIATE')
    for (const command of [
      'set text new',
      'incr n',
      'delete text',
      'touch text --ttl 1s',
      'clear --yes',
      'settings cullLimit 5',
    ]) {
      const [name = '', ...others] = command.split(' ')
      const ended = await cliHere([name, root, ...others, '--timeout', '20ms'])
      expect([command, ended]).toEqual([command, sentence(5, 'locked by others until the deadline')])
    }
    expect(await cliHere(['ls', root])).toMatchObject({ code: 0 })
  })

  it('is told by ls when others lock a part of what it has begun to list', async () => {
    const root = temporaryDirectory()
    const cache = new FanoutCache(root, { shards: 2, sqlite: { journalMode: 'delete' } })
    await cache.setMany(Array.from({ length: 2000 }, (_, key) => [`${'long '.repeat(20)}${key}`, key]))
    await cache.close()
    const [stdin, stdout, stderr] = [Readable.from([]), new PassThrough(), new PassThrough()]
    const ended = run(
      ['ls', root, '--timeout', '50ms'],
      { stdin, stdout, stderr, env: {} },
      new AbortController().signal,
    )
    // It waits for its reader, and has the second shard before it.
    await once(stdout, 'readable')
    rawDatabase(join(root, '001')).exec('BEGIN EXCLUSIVE')
    stdout.resume()
    expect(await ended).toBe(5)
    expect(await text(stderr.end())).toMatch('locked by others')
  })
})

describe('a directory without permission', () => {
  /** Runs the command line as a user whom the directory does not belong to. */
  async function asNobody(args: readonly string[]): Promise<Ended> {
    const child = new FixtureProcess(new URL('./fixtures/unprivileged.mjs', import.meta.url), args)
    const { code, stderr } = await child.ended
    return { code, stdout: child.lines.join('\n'), stderr }
  }

  it.runIf(process.getuid?.() === 0)('is one sentence and exit code 4', async () => {
    const around = temporaryDirectory()
    chmodSync(around, 0o755)
    const root = join(around, 'cache')
    const cache = new FanoutCache(root, { shards: 1 })
    await cache.set('key', 1)
    await cache.close()
    expect(await asNobody(['stats', root])).toEqual(sentence(4, 'no permission to look into'))
    expect(await asNobody(['set', join(around, 'new'), 'key', '1', '--create'])).toEqual(
      sentence(4, 'permission denied'),
    )
    // The names can be listed, and nothing be reached by them.
    chmodSync(root, 0o744)
    onTestFinished(() => chmodSync(root, 0o700))
    expect(await asNobody(['get', root, 'key'])).toEqual(sentence(4, /permission/))
    chmodSync(root, 0o755)
    chmodSync(join(root, '000'), 0o755)
    chmodSync(join(root, '000', 'cache.db'), 0o644)
    for (const command of ['set', 'get']) {
      const missing = /files beside the database \(-wal, -shm\), and this user may not make them/
      expect(await asNobody([command, root, 'key', ...(command === 'set' ? ['2'] : [])])).toEqual(sentence(4, missing))
    }
  })

  it.runIf(process.getuid?.() === 0)('is remarked on when root writes into that of another user', async () => {
    chownSync(directory, NOBODY, NOBODY)
    const remark = `belongs to user ${NOBODY}`
    expect(await cliHere(['set', directory, 'key', '1'])).toEqual({ ...sentence(0, remark) })
    expect(await cliHere(['get', directory, 'key'])).toEqual({ code: 0, stdout: '1', stderr: '' })
  })
})

describe('a Node that cannot run it', () => {
  const preload = (name: string): NodeJS.ProcessEnv => ({
    NODE_OPTIONS: `--require ${fileURLToPath(new URL(`./fixtures/${name}.cjs`, import.meta.url))}`,
  })

  it('is one sentence and exit code 2', async () => {
    const old = await cli(['stats', directory], { env: preload('old-node') })
    expect(old).toEqual(sentence(2, 'needs Node 20.19 or later, and runs on 18.20.4'))
    const other = await cli(['stats', directory], { env: preload('other-node') })
    expect(other).toEqual(sentence(2, 'npm rebuild better-sqlite3'))
  })

  it('is told from a package that is not whole', async () => {
    const bin = join(temporaryDirectory(), 'bin')
    mkdirSync(bin)
    copyFileSync(BIN, join(bin, 'fanout-cache.cjs'))
    const child = new FixtureProcess(new URL(`file://${join(bin, 'fanout-cache.cjs')}`))
    const { code, stderr } = await child.ended
    expect({ code, stdout: '', stderr }).toEqual(sentence(2, 'install it again'))
  })
})
