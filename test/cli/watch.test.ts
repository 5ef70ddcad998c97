import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import Database from 'better-sqlite3'
import { Cache, FanoutCache } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { run as runHere } from '../../dist/cli.mjs'
import { peer } from '../helpers/peers.js'
import { runPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { twoWriters } from './care-support.js'
import { run, runInTerminal, start, until } from './transfer-support.js'

interface Figures {
  readonly count: number
  readonly size: number
  readonly hits: number
  readonly misses: number
  readonly evictions: number
  readonly perSecond: { readonly hits: number | null; readonly stored: number | null }
  readonly shards: readonly { readonly shard: string; readonly count: number }[]
}

const figuresOf = (stdout: string): Figures[] =>
  stdout
    .split('\n')
    .filter(line => line.endsWith('}'))
    .map(line => JSON.parse(line) as Figures)

const paths = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    // SQLite makes them empty for whoever reads.
    .filter(name => !/-(shm|wal)$/.test(name))
    // The size of a folder is the file system's affair.
    .map(name => [name, statSync(join(directory, name))] as const)
    .map(([name, found]) => `${name} ${found.isFile() ? found.size : 'folder'}`)
    .sort()

describe('watch', () => {
  it('shows each shard where the terminal has room for all of them, else their sum', async () => {
    const directory = temporaryDirectory()
    await new FanoutCache(directory, { shards: 4 }).open().then(cache => cache.close())
    const shownAt = async (rows: number): Promise<readonly (string | undefined)[]> => {
      const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows })
      const io = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), env: { NO_COLOR: '1' } }
      await runHere(['watch', directory, '--count', '1'], io, new AbortController().signal)
      const lines = (await text(stdout.end())).trimEnd().split('\n')
      return lines.slice(4).map(line => line.split(' ')[0])
    }
    expect(await shownAt(10)).toEqual(['000', '001', '002', '003', 'all'])
    expect(await shownAt(9)).toEqual(['all'])
  })

  it('writes lines where nothing can be drawn anew, as into a pipe', async () => {
    const directory = temporaryDirectory()
    await new Cache(directory).open().then(cache => cache.close())
    const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24 })
    const io = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), env: { TERM: 'dumb' } }
    await runHere(['watch', directory, '--count', '2', '--every', '100ms'], io, new AbortController().signal)
    expect(await text(stdout.end())).toMatch(/^([\dT:.-]+Z entries 0 [ -~]*\n){2}$/)
  })

  it('tells what the services have counted, also while others hold the lock, and writes nothing', async () => {
    const directory = temporaryDirectory()
    const cache = new FanoutCache(directory, { shards: 2, statistics: true, sizeLimit: 2 ** 20 })
    for (let key = 0; key < 60; key++) await cache.set(key, Buffer.alloc(40_000, key))
    for (const key of [58, 59, 'none']) await cache.get(key)
    // A write takes what was counted with it.
    await cache.setMany([0, 1, 2, 3].map(key => [`small:${key}`, key] as const))
    const { count, volume, hits, misses, evictions } = await cache.stats()
    await cache.close()
    const db = new Database(join(directory, '000', 'cache.db'))
    db.exec('BEGIN IMMEDIATE')
    const before = paths(directory)
    const { code, stdout, stderr } = await run(['watch', directory, '--json', '--count', '2', '--every', '100ms'])
    expect(paths(directory)).toEqual(before)
    db.exec('ROLLBACK')
    db.close()
    expect([code, stderr]).toEqual([0, ''])
    const [first, second] = figuresOf(stdout)
    expect(first).toMatchObject({
      count,
      size: volume,
      hits,
      misses,
      evictions,
      perSecond: { hits: null, stored: null },
    })
    expect(second).toMatchObject({ count, evictions, perSecond: { hits: 0, stored: 0 } })
    expect(second?.shards.map(({ shard }) => shard)).toEqual(['000', '001'])
    expect(evictions).toBeGreaterThan(20)
  })

  it('tells rates per second, and none of counters that were reset', async () => {
    const directory = temporaryDirectory()
    const cache = new FanoutCache(directory, { shards: 2, statistics: true })
    await cache.open()
    await cache.close()
    const db = new Database(join(directory, '000', 'cache.db'))
    onTestFinished(() => void db.close())
    const count = (hits: number, misses: number): void => {
      db.exec(`UPDATE Settings SET value = ${hits} WHERE key = 'hits'`)
      db.exec(`UPDATE Settings SET value = ${misses} WHERE key = 'misses'`)
    }
    count(0, 500)
    const stdout = new PassThrough()
    const io = { stdin: new PassThrough(), stdout, stderr: new PassThrough(), env: {} }
    const ended = runHere(
      ['watch', directory, '--json', '--count', '2', '--every', '100ms'],
      io,
      AbortSignal.timeout(60_000),
    )
    stdout.once('data', () => count(1_000_000, 0))
    const said = text(stdout)
    expect(await ended).toBe(0)
    stdout.end()
    const [, second] = figuresOf(await said)
    expect(second?.perSecond.hits).toBeGreaterThan(10_000)
    expect(second).toMatchObject({ hits: 1_000_000, perSecond: { misses: 0 } })
  })

  it('fits its lines to the terminal, and counts where one shard does', async () => {
    const directory = temporaryDirectory()
    const cache = new FanoutCache(directory, { shards: 2, sizeLimit: 2 ** 20, statistics: true })
    await cache.set('film', Buffer.alloc(104_858))
    await cache.close()
    const db = new Database(join(directory, '001', 'cache.db'))
    db.exec("UPDATE Settings SET value = 0 WHERE key = 'statistics'")
    db.close()
    const shown = async (columns: number): Promise<string[]> => {
      const stdout = Object.assign(new PassThrough(), { isTTY: true, columns, rows: 24 })
      const stderr = new PassThrough()
      const io = { stdin: new PassThrough(), stdout, stderr, env: { NO_COLOR: '1' } }
      await runHere(['watch', directory, '--count', '1'], io, new AbortController().signal)
      expect(await text(stderr.end())).toBe('')
      return (await text(stdout.end())).trimEnd().split('\n')
    }
    expect((await shown(120))[1]).toMatch(/^1 entries {2}\d+\.\d KiB of 1\.0 MiB \(\d+\.\d %\) {2}log .* {2}hits 0/)
    expect(Math.max(...(await shown(20)).map(line => line.length))).toBe(20)
  })

  it('shows what happens as it happens, until it is interrupted', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory, { statistics: true })
    onTestFinished(() => cache.close())
    await cache.set('a', 1)
    const running = start('watch', directory, '--json', '--every', '100ms')
    let said = ''
    running.child.stdout.on('data', chunk => {
      said += String(chunk)
    })
    await until('a first line', () => said.includes('\n'))
    for (let at = 0; figuresOf(said).every(({ perSecond }) => !perSecond.hits || !perSecond.stored); at++) {
      await cache.get('a')
      await cache.set(`key:${at}`, at)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    running.child.kill('SIGINT')
    expect((await running.ended).code).toBe(130)
  })

  it.runIf(peer('python'))('follows a directory of Python while two processes write to it', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    await runPython("with FanoutCache(directory, shards=2, statistics=1) as cache: cache['made by'] = 'Python'", {
      directory,
    })
    const writers = await twoWriters(directory, 'FanoutCache')
    const { code, stdout, stderr } = await run(['watch', directory, '--json', '--count', '4', '--every', '300ms'])
    await writers.stop()
    expect([code, stderr]).toEqual([0, ''])
    const counts = figuresOf(stdout).map(({ count }) => count)
    expect(counts).toHaveLength(4)
    expect(Math.max(...counts)).toBeGreaterThan(1)
    expect((await run(['check', directory])).code).toBe(0)
  })

  it('says when nothing is counted, and how that is changed', async () => {
    const directory = temporaryDirectory()
    const cache = new Cache(directory)
    await cache.set('a', 1)
    await cache.close()
    const { code, stdout, stderr } = await run(['watch', directory, '--count', '1'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/entries 1 size \d+ .* hits\/s - /)
    expect(stderr).toContain('settings <directory> statistics on')
    expect(await run(['watch', directory, '--every', '1ms'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--every'),
    })
  })

  it.skipIf(!peer('python'))('draws its table anew in a terminal, of a directory of Python too', async () => {
    const directory = temporaryDirectory()
    await runPython("diskcache.FanoutCache(d, shards=2, statistics=True).set('a', 1)", { d: directory })
    const { code, stdout } = await runInTerminal('watch', directory, '--count', '2', '--every', '100ms')
    expect(code).toBe(0)
    expect(stdout.match(/shard +entries/g)).toHaveLength(2)
    expect(stdout).toContain('\u001b[7A\u001b[0J')
    expect(stdout).toMatch(/all +1 /)
  })
})
