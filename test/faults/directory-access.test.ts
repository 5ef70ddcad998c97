import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type CacheOptions, DirectoryError } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { removeTree, temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { cacheOf, KINDS, type Kind, optionsOf, shardsOf } from './support/caches.js'
import { LockHolder } from './support/lock-holder.js'

const SCRIPT = new URL('./fixtures/unprivileged.mjs', import.meta.url)
const LATE = new URL('./fixtures/late-writer.mjs', import.meta.url)
const NOBODY = 65534
const LARGE = 'L'.repeat(40_000)

/** A temporary directory which the unprivileged process owns. */
function foreignDirectory(): string {
  const directory = temporaryDirectory()
  giveAway(directory)
  return directory
}

/** Root makes files, but the process under test owns them, so that their modes mean to it what they say. */
function giveAway(path: string): void {
  if (process.getuid?.() === 0) chownSync(path, NOBODY, NOBODY)
}

function mode(path: string, bits: number): void {
  chmodSync(path, bits)
  onTestFinished(() => chmodSync(path, 0o700))
}

type Verb = readonly [name: string, ...parameters: unknown[]]

async function run(
  kind: Kind,
  directory: string,
  verbs: readonly Verb[],
  options: CacheOptions = {},
): Promise<readonly string[]> {
  const child = new FixtureProcess(SCRIPT, { kind, directory, options: optionsOf(kind, options), verbs })
  const lines = await child.done()
  expect(lines.filter(line => line.startsWith('quarantine'))).toEqual([])
  expect(lines.at(-1)).toBe('closed')
  return lines
}

/** A closed cache made by the unprivileged process itself. */
async function made(kind: Kind): Promise<string> {
  const directory = join(foreignDirectory(), 'cache')
  const lines = await run(kind, directory, [
    ['set', 0, 'zero', { retry: true }],
    ['set', 1, 'one', { retry: true }],
  ])
  expect(lines.slice(0, 2)).toEqual(['set true', 'set true'])
  return directory
}

const GET: Verb = ['get', 0]
const SET: Verb = ['set', 0, 'new', { retry: true }]

describe.runIf(process.getuid?.() === 0).each(KINDS)('a %s that users of one group share', kind => {
  it('is read and written by each of them, whatever their umask', async () => {
    const [GROUP, first, second] = [NOBODY - 1, NOBODY - 2, NOBODY - 3]
    const parent = temporaryDirectory()
    chownSync(parent, 0, GROUP)
    chmodSync(parent, 0o2775)
    const options = optionsOf(kind, { disk: { directoryMode: 0o2770, fileMode: 0o660 } })
    const directory = join(parent, 'below', 'cache')
    // So many that they meet in the folders of others.
    const keys = Array.from({ length: 200 }, (_, key) => key)
    const act = async (user: number, verbs: readonly Verb[]): Promise<Set<string>> => {
      const child = new FixtureProcess(SCRIPT, { kind, directory, options, verbs, user, group: GROUP, umask: 0o077 })
      return new Set(await child.done())
    }
    const writes = keys.map((key): Verb => ['set', key, 'small', { file: true, retry: true }])
    expect(await act(first, writes)).toEqual(new Set(['set true', 'closed']))
    const mine = writes.map(([verb, key, ...more]): Verb => [verb, `second ${key}`, ...more])
    const removals = keys.map((key): Verb => ['delete', key, { retry: true }])
    expect(await act(second, [...mine, ...removals, ['check']])).toEqual(
      new Set(['set true', 'delete true', 'check []', 'closed']),
    )
    expect(await act(first, [['count'], ['clear', { retry: true }], ['check']])).toEqual(
      new Set(['count 200', 'clear 200', 'check []', 'closed']),
    )
  })
})

describe.skipIf(process.platform === 'win32').each(KINDS)('a %s on a directory', kind => {
  it('that is a file rejects with DirectoryError at the first verb', async () => {
    const file = join(temporaryDirectory(), 'file')
    writeFileSync(file, 'in the way')
    const cache = cacheOf(kind, file)
    const why = { name: 'DirectoryError', message: expect.stringMatching(/: is a file, or lies below one$/) }
    await expect(cache.get(0)).rejects.toMatchObject(why)
    await expect(cacheOf(kind, join(file, 'below')).set(0, 'v')).rejects.toMatchObject(why)
  })

  it('passes by a directory of others that has a number for a name and cannot be entered', async () => {
    const directory = await made(kind)
    mkdirSync(join(directory, '2026'))
    mode(join(directory, '2026'), 0)
    expect(await run(kind, directory, [GET])).toEqual(['get "zero"', 'closed'])
  })

  it('whose database is a directory rejects with a typed error', async () => {
    const directory = temporaryDirectory()
    for (const shard of shardsOf(kind)) mkdirSync(join(directory, shard, 'cache.db'), { recursive: true })
    await expect(cacheOf(kind, directory).set(0, 'v')).rejects.toMatchObject({ code: 'ERR_CACHE_DIRECTORY' })
  })

  it.each(['itself', 'nothing'])('that is a link to %s rejects with DirectoryError at the first verb', async target => {
    const link = join(temporaryDirectory(), 'itself')
    symlinkSync(target, link)
    await expect(cacheOf(kind, link).set(0, 'v')).rejects.toThrow(DirectoryError)
    await expect(cacheOf(kind, link).get(0)).rejects.toThrow(DirectoryError)
  })

  it.runIf(process.platform === 'linux')('below /proc rejects with DirectoryError, and does not hang', () => {
    const script = `import { ${kind} } from 'fanout-cache'
      const answers = await Promise.allSettled([new ${kind}('/proc/none').get(0), new ${kind}('/proc/none/x/y').set(0, 0)])
      console.log(answers.map(({ reason }) => reason?.code).join())`
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 10_000 })
    expect(String(stdout)).toBe('ERR_CACHE_DIRECTORY,ERR_CACHE_DIRECTORY\n')
  })

  it('that became a file ends no process with what was refused at once', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = cacheOf(kind, directory)
    await cache.set(0, 'v')
    removeTree(directory)
    writeFileSync(directory, 'in the way')
    const unhandled: unknown[] = []
    const note = (error: unknown): void => void unhandled.push(error)
    process.prependListener('unhandledRejection', note)
    onTestFinished(() => void process.off('unhandledRejection', note))
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await expect(cache.setMany([[0, LARGE]], { signal })).rejects.toBe(reason)
    await expect(cache.set(0, LARGE, { signal })).rejects.toBe(reason)
    await expect(cache.set(0, LARGE)).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_CACHE_/) })
    await new Promise(resolve => setImmediate(resolve))
    expect(unhandled).toEqual([])
  })

  it('that cannot be made rejects with DirectoryError', async () => {
    const parent = foreignDirectory()
    mode(parent, 0o555)
    const lines = await run(kind, join(parent, 'cache'), [GET, SET])
    for (const line of lines.slice(0, 2)) expect(line).toMatch(/^\w+ rejected .*"code":"ERR_CACHE_DIRECTORY"/)
  })

  it('that cannot be entered rejects with DirectoryError and moves nothing aside', async () => {
    const directory = await made(kind)
    mode(directory, 0)
    const lines = await run(kind, directory, [GET, SET], { onCorrupt: 'quarantine' })
    for (const line of lines.slice(0, 2)) expect(line).toMatch(/^\w+ rejected .*"code":"ERR_CACHE_DIRECTORY"/)
    chmodSync(directory, 0o700)
    expect((await run(kind, directory, [GET]))[0]).toBe('get "zero"')
  })

  it('whose database cannot be read rejects with a typed error and moves nothing aside', async () => {
    const directory = await made(kind)
    const shard = join(directory, shardsOf(kind)[0] ?? '.')
    mode(join(shard, 'cache.db'), 0)
    const before = readdirSync(shard).sort()
    const lines = await run(kind, directory, [GET, SET], { onCorrupt: 'quarantine' })
    for (const line of lines.slice(0, 2)) expect(line).toMatch(/^\w+ rejected .*"code":"ERR_CACHE_DIRECTORY"/)
    expect(readdirSync(shard).sort()).toEqual(before)
  })

  it('where nothing can be written rejects writes with a typed error', async () => {
    const directory = await made(kind)
    for (const shard of shardsOf(kind)) {
      mode(join(directory, shard, 'cache.db'), 0o400)
      mode(join(directory, shard), 0o500)
    }
    mode(directory, 0o500)
    const [line] = await run(kind, directory, [SET], { onCorrupt: 'quarantine' })
    expect(line).toMatch(/^set rejected .*"code":"ERR_CACHE_(DIRECTORY|READONLY)"/)
  })

  it('whose value files cannot be read rejects instead of saying that there is none', async () => {
    const directory = await made(kind)
    await run(kind, directory, [['set', 0, 'F'.repeat(40_000), { retry: true }]])
    const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.val'))
    expect(files).toHaveLength(1)
    for (const file of files) mode(join(directory, file), 0)
    const [line] = await run(kind, directory, [GET])
    expect(line).toMatch(/^get rejected .*"code":"ERR_CACHE_(DIRECTORY|STORAGE)"/)
  })

  it('where a value file cannot be removed makes a removal once, and answers it', async () => {
    const directory = await made(kind)
    await run(kind, directory, [['set', 0, 'F'.repeat(40_000), { retry: true }]])
    const [file = ''] = valueFiles(directory)
    mode(dirname(dirname(file)), 0)
    const lines = await run(kind, directory, [['delete', 0, { retry: true }], ['has', 0], ['count']])
    expect(lines.slice(0, 3)).toEqual(['delete true', 'has false', 'count 1'])
  })

  it('that can no longer be written ends no process when files that came to nothing cannot be removed', async () => {
    const directory = await made(kind)
    const child = new FixtureProcess(LATE, { kind, directory, options: optionsOf(kind) })
    await child.line('open')
    const holder = await LockHolder.holding(kind, directory)
    child.send('write')
    await child.line('called')
    await expect.poll(() => valueFiles(directory).length, { interval: 5 }).toBe(4)
    const shards = shardsOf(kind).map(shard => join(directory, shard))
    for (const shard of shards) mode(shard, 0o500)
    const refused = kind === 'Cache' ? ['ERR_CACHE_TIMEOUT', 'ERR_CACHE_TIMEOUT'] : [false, false]
    const many = kind === 'Cache' ? 'ERR_CACHE_TIMEOUT' : [false]
    const ended = await child.line('ended')
    expect(JSON.parse(ended.slice(6))).toEqual([...refused, refused[0], many])
    expect(await child.line('get')).toBe('get "old"')
    for (const shard of shards) chmodSync(shard, 0o700)
    await holder.free()
    child.send('close')
    await child.done()
  })
})

/** Bytes of buffers that something still holds. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  for (let round = 0; round < 3; round++) collect()
  return process.memoryUsage().arrayBuffers
}

it.each(KINDS)('keeps nothing of the keys for which a %s could not be opened', async kind => {
  const file = join(temporaryDirectory(), 'file')
  writeFileSync(file, '')
  const cache = cacheOf(kind, file)
  const before = heldBytes()
  for (let key = 0; key < 32; key += 1) {
    await expect(cache.set(['key', Buffer.alloc(2 ** 20)], 1)).rejects.toThrow(DirectoryError)
  }
  // The engine may keep the last of them for a while.
  expect(heldBytes() - before).toBeLessThan(2 ** 23)
})

describe.each(KINDS)('a %s whose database cannot be one', kind => {
  it.each([
    ['a pipe', (path: string) => execFileSync('mkfifo', [path])],
    ['a directory', (path: string) => mkdirSync(path)],
    ['a link to a device', (path: string) => symlinkSync('/dev/zero', path)],
  ])('because it is %s, says so at once', async (_name, make) => {
    const directory = temporaryDirectory()
    for (const shard of shardsOf(kind)) {
      mkdirSync(join(directory, shard), { recursive: true })
      make(join(directory, shard, 'cache.db'))
    }
    const cache = cacheOf(kind, directory)
    await expect(cache.set('key', 1)).rejects.toThrow(DirectoryError)
    await expect(cache.get('key')).rejects.toThrow('it is no plain file')
  })

  it('because it was replaced while it was open, says so in check() as in any verb', async () => {
    const directory = temporaryDirectory()
    const cache = cacheOf(kind, directory)
    await cache.set('key', 1)
    for (const shard of shardsOf(kind)) {
      const path = join(directory, shard, 'cache.db')
      renameSync(path, `${path}-elsewhere`)
      mkdirSync(path)
    }
    // What the thread that checks throws has the class that it has there.
    await expect(cache.check()).rejects.toThrow(DirectoryError)
  })

  it('because its path is too long for SQLite, says so', async () => {
    const above = join(temporaryDirectory(), 'd'.repeat(240))
    const left = 504 - Buffer.byteLength(join(above, shardsOf(kind)[0] ?? '.', 'cache.db')) - 1
    const longest = cacheOf(kind, join(above, 'e'.repeat(left)))
    expect(await longest.set('key', 1)).toBe(true)
    const tooLong = cacheOf(kind, join(above, 'e'.repeat(left + 1)))
    await expect(tooLong.set('key', 1)).rejects.toThrow('SQLite takes paths of up to 504 bytes')
  })
})
