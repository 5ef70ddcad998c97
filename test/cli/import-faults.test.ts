import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { Cache, FanoutCache, type FanoutCacheOptions } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { run as runHere } from '../../dist/cli.mjs'
import { mountTmpfs, tmpfsAvailable } from '../faults/support/tmpfs.js'
import { FixtureProcess } from '../helpers/child-process.js'
import { peer } from '../helpers/peers.js'
import { runPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import {
  exported,
  fileEntry,
  filesOf,
  importNew,
  rowsOf,
  run,
  runInTerminal,
  start,
  streamOf,
  until,
} from './transfer-support.js'

const WRITER = new URL('./fixtures/transfer-writer.mjs', import.meta.url)

const stream = streamOf([
  ...Array.from({ length: 1500 }, (_, at) => ({ key: `key:${at}`, value: { at, text: 'x'.repeat(200) }, tags: ['t'] })),
  ...Array.from({ length: 60 }, (_, at) => fileEntry(`file:${at}`, Buffer.alloc(40_000, at))).flat(),
])
const ENTRIES = 1560

/** A cache in which some keys of the stream are, with the state it is in. */
async function someCache(directory: string): Promise<unknown[]> {
  const cache = new FanoutCache(directory, { shards: 2 })
  await cache.setMany(Array.from({ length: 20 }, (_, at) => [`key:${at * 50}`, `old ${at}`] as const))
  await cache.set('file:1', Buffer.alloc(50_000, 1))
  await cache.set('other', 'stays')
  await cache.close()
  return stateOf(directory)
}

const stateOf = (directory: string): unknown[] => [rowsOf(directory), filesOf(directory)]

async function findings(directory: string, options: FanoutCacheOptions = {}): Promise<unknown[]> {
  const cache = new FanoutCache(directory, options)
  const found: unknown[] = await cache.check()
  await cache.close()
  if (!peer('python')) return found
  return [...found, ...(await runPython<unknown[]>('found(diskcache.FanoutCache(d, shards=2))', { d: directory }))]
}

/** Holds the write lock of the last shard, which an import takes last. */
function holdLock(directory: string): () => void {
  const db = new Database(join(directory, '001', 'cache.db'))
  onTestFinished(() => {
    db.close()
  })
  db.exec('BEGIN IMMEDIATE')
  return () => db.exec('ROLLBACK')
}

const stages = (directory: string): string[] =>
  readdirSync(directory).filter(name => name.startsWith('cache.db-import-'))

/** Resolves when an import has read and checked all of the stream, and goes on to store it. */
async function staged(directory: string): Promise<void> {
  // What is there is looked into for a moment before the stream is read, too.
  const isOpen = (): boolean => stages(directory).length > 0 && existsSync(join(directory, '000', 'cache.db-shm'))
  await until('the cache to be opened', isOpen)
}

/** Puts a file of a stage into its place, as an import does that is killed before its commit. */
function placeOne(stage: string): string {
  const db = new Database(join(stage, 'stage.db'))
  const row = db.prepare('SELECT shard, filename, file FROM Row WHERE filename IS NOT NULL LIMIT 1').raw().get()
  db.close()
  const [shard, filename, file] = row as [string, string, number]
  const place = join(stage, '..', shard, filename)
  mkdirSync(dirname(place), { recursive: true })
  renameSync(join(stage, `value-${file}`), place)
  return place
}

describe.skipIf(!tmpfsAvailable)('an import that finds no room', () => {
  it('says so, and leaves everything as it was', async () => {
    const root = mountTmpfs('size=3m')
    const before = await someCache(join(root, 'there'))
    for (const [name, ...options] of [
      ['there', '--yes'],
      ['new', '--create'],
    ] as const) {
      const ended = await run(['import', join(root, name), ...options], stream)
      expect(ended).toMatchObject({
        code: 4,
        stdout: '',
        stderr: expect.stringMatching(/^fanout-cache: .* is full\n$/),
      })
    }
    // Rows alone fill the database in which they are staged.
    const rows = streamOf(Array.from({ length: 4000 }, (_, key) => ({ key, value: 'x'.repeat(1000) })))
    const ended = await run(['import', join(root, 'new'), '--create'], rows)
    expect(ended).toMatchObject({ code: 4, stderr: expect.stringMatching(/^fanout-cache: .* is full\n$/) })
    expect(readdirSync(root)).toEqual(['there'])
    expect(stateOf(join(root, 'there'))).toEqual(before)
    expect(stages(join(root, 'there'))).toEqual([])
  })
})

describe('an import that is ended', () => {
  it('speaks of nothing stored when what was made meanwhile takes the name of a new directory', async () => {
    const around = temporaryDirectory()
    const importing = start('import', join(around, 'new'), '--create', '--batch', '100')
    importing.child.stdin.write(stream.slice(0, 1000))
    await until('the new one to be begun', () => readdirSync(around).length > 0)
    mkdirSync(join(around, 'new', 'of somebody else'), { recursive: true })
    importing.child.stdin.end(stream.slice(1000))
    const { code, stdout, stderr } = await importing.ended
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
    expect(stderr).toMatch(/^fanout-cache: cache directory .*: was made by somebody else meanwhile\n$/)
    expect(readdirSync(around)).toEqual(['new'])
  })

  it('by a stream that breaks off leaves no directory that was made on the way', async () => {
    const root = temporaryDirectory()
    const { code } = await run(['import', join(root, 'a/b/new'), '--create'], stream.slice(0, stream.length / 2))
    expect([code, readdirSync(root)]).toEqual([65, []])
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('by %s while it reads, leaves everything as it was', async signal => {
    const directory = join(temporaryDirectory(), 'a')
    const before = await someCache(directory)
    const running = start('import', directory, '--yes')
    running.child.stdin.write(stream.slice(0, stream.length / 2))
    await until('a stage', () => stages(directory).some(stage => existsSync(join(directory, stage, 'value-1'))))
    running.child.kill(signal)
    const { code, stderr } = await running.ended
    expect([code, stderr]).toEqual([signal === 'SIGINT' ? 130 : 143, 'fanout-cache: interrupted\n'])
    expect(stateOf(directory)).toEqual(before)
    expect(await findings(directory)).toEqual([])
  })

  it('by SIGINT while it waits for a lock, or by its patience, leaves everything as it was', async () => {
    const directory = join(temporaryDirectory(), 'a')
    const before = await someCache(directory)
    const release = holdLock(directory)
    const running = start('import', directory, '--yes', '--timeout', '10m')
    running.child.stdin.end(stream)
    const impatient = await run(['import', directory, '--yes', '--timeout', '200ms'], stream)
    expect(impatient).toMatchObject({ code: 5, stderr: expect.stringContaining('locked') })
    await staged(directory)
    running.child.kill('SIGINT')
    expect((await running.ended).code).toBe(130)
    release()
    expect(stateOf(directory)).toEqual(before)
  })

  it('by SIGINT at any moment, has stored all or nothing', async () => {
    const root = temporaryDirectory()
    const file = join(root, 'stream.jsonl')
    writeFileSync(file, stream)
    const whole = join(root, 'whole')
    await someCache(whole)
    const began = performance.now()
    expect((await run(['import', whole, file, '--yes'])).code).toBe(0)
    const took = performance.now() - began
    const after = rowsOf(whole)
    for (const part of [0.6, 0.75, 0.9]) {
      const directory = join(root, `at-${part}`)
      const before = await someCache(directory)
      const running = start('import', directory, file, '--yes')
      await Promise.race([running.ended, sleep(took * part)])
      running.child.kill('SIGINT')
      const { code } = await running.ended
      // Whoever came before Node heard signals was ended by the system.
      expect([0, 130, null]).toContain(code)
      // It may come too late to change anything.
      const isStored = rowsOf(directory).length > 100
      expect(isStored ? rowsOf(directory) : stateOf(directory)).toEqual(isStored ? after : before)
      if (code === 0) expect(isStored).toBe(true)
      expect(stages(directory)).toEqual([])
      expect(await findings(directory)).toEqual([])
    }
  })

  it('that comes behind the commit is told that all is stored', async () => {
    const directory = join(temporaryDirectory(), 'a')
    await someCache(directory)
    const interruption = new AbortController()
    const interrupt = (): void => interruption.abort()
    subscribe('fanout-cache:commit', interrupt)
    onTestFinished(() => {
      unsubscribe('fanout-cache:commit', interrupt)
    })
    const [stdout, stderr] = [new PassThrough().resume(), new PassThrough()]
    const stdin = Readable.from([Buffer.from(stream)], { objectMode: false })
    const code = await runHere(['import', directory, '--yes'], { stdin, stdout, stderr, env: {} }, interruption.signal)
    expect(code).not.toBe(0)
    expect(await text(stderr.end())).toContain('fanout-cache: all of it was stored before this\n')
    expect(rowsOf(directory)).toHaveLength(ENTRIES + 1)
    expect(await findings(directory)).toEqual([])
  })

  it('by SIGKILL leaves a stage that the next one removes, and everything else as it was', async () => {
    const root = temporaryDirectory()
    const directory = join(root, 'a')
    const before = await someCache(directory)
    const release = holdLock(directory)
    const waiting = start('import', directory, '--yes', '--timeout', '10m')
    waiting.child.stdin.end(stream)
    await staged(directory)
    const making = start('import', join(root, 'new'), '--create')
    making.child.stdin.write(stream.slice(0, stream.length / 2))
    const unborn = () => readdirSync(root).filter(name => name.startsWith('new.import-'))
    // Until it has its name, a stage may be somebody's who is about to lock it, and is left alone for an hour.
    const isNamed = (stage: string): boolean => !stage.endsWith('.new')
    await until('a directory in the making', () => unborn().some(name => stages(join(root, name)).some(isNamed)))
    for (const { child, ended } of [waiting, making]) {
      child.kill('SIGKILL')
      await ended
    }
    release()
    const left = stages(directory)
    expect([left.length, unborn().length]).toEqual([1, 1])
    expect(rowsOf(directory)).toEqual((before as [string[]])[0])
    // Whoever may write tidies up soon after it has opened a cache.
    expect(await findings(directory, { readonly: true })).toEqual([])
    const placed = placeOne(join(directory, left[0] ?? ''))
    // One that is at work is left alone.
    const working = start('import', directory, '--yes')
    working.child.stdin.write(stream.slice(0, stream.length / 2))
    await until('a stage of its own', () => stages(directory).some(stage => isNamed(stage) && !left.includes(stage)))
    await importNew(join(root, 'new'), stream)
    expect((await run(['import', directory, '--yes'], streamOf([]))).code).toBe(0)
    expect(stages(directory)).toHaveLength(1)
    expect([existsSync(placed), unborn()]).toEqual([false, []])
    working.child.stdin.end(stream.slice(stream.length / 2))
    expect((await working.ended).code).toBe(0)
    expect(stages(directory)).toEqual([])
    expect(await findings(directory)).toEqual([])
  })

  it('by SIGKILL leaves what the next one finds by its name, which takes nothing else beside the target', async () => {
    const root = temporaryDirectory()
    const made = ['new.import-0123456789abcdef', 'new.import-backup', 'other.import-0123456789abcdef']
    for (const name of made) {
      mkdirSync(join(root, name))
      writeFileSync(join(root, name, 'file'), 'of an operator')
      utimesSync(join(root, name), 0, 0)
    }
    const working = start('import', join(root, 'new'), '--create')
    working.child.stdin.write(stream.slice(0, stream.length / 2))
    const known = new Set(readdirSync(root))
    const own = () => readdirSync(root).filter(name => !known.has(name) && stages(join(root, name)).length > 0)
    await until('a directory in the making', () => own().length > 0)
    const [directory = ''] = own()
    await importNew(join(root, 'new'), stream)
    expect(readdirSync(root).sort()).toEqual([...made.slice(1), 'new', directory].sort())
    working.child.stdin.end(stream.slice(stream.length / 2))
    const { code, stderr } = await working.ended
    expect([code, stderr]).toEqual([4, expect.stringContaining('was made by somebody else meanwhile')])
    expect(readdirSync(root).sort()).toEqual([...made.slice(1), 'new'].sort())
  })

  it('by SIGKILL leaves files that the next one spares while they are in grace', async () => {
    const directory = join(temporaryDirectory(), 'a')
    await someCache(directory)
    const release = holdLock(directory)
    const killed = start('import', directory, '--yes', '--timeout', '10m')
    killed.child.stdin.end(stream)
    await staged(directory)
    killed.child.kill('SIGKILL')
    await killed.ended
    release()
    const placed = placeOne(join(directory, stages(directory)[0] ?? ''))
    // As after a commit whose entry was deleted at once: whoever answers with the file has time to open it.
    const shard = join(directory, relative(directory, placed).slice(0, 3))
    const db = new Database(join(shard, 'cache.db'))
    db.exec('CREATE TABLE UnlinkLater (filename TEXT PRIMARY KEY, size INTEGER NOT NULL, due REAL NOT NULL)')
    db.prepare('INSERT INTO UnlinkLater VALUES (?, 40000, ?)').run(relative(shard, placed), Date.now() / 1000 + 3600)
    db.close()
    expect((await run(['import', directory, '--yes'], streamOf([]))).code).toBe(0)
    expect([stages(directory), existsSync(placed)]).toEqual([[], true])
  })

  it('by SIGKILL leaves what the doctor names, which is silent while it runs', async () => {
    const directory = join(temporaryDirectory(), 'a')
    await someCache(directory)
    const left = async (): Promise<unknown> => {
      const { findings } = JSON.parse((await run(['doctor', directory, '--json'])).stdout)
      return findings.find(({ id }: { id: string }) => id === 'imports')
    }
    const running = start('import', directory, '--yes')
    running.child.stdin.write(stream.slice(0, stream.length / 2))
    await until('a stage', () => stages(directory).some(stage => /-[0-9a-f]+$/.test(stage)))
    expect(await left()).toBeUndefined()
    running.child.kill('SIGKILL')
    await running.ended
    const what = expect.stringMatching(
      /^1 import ended in the middle and left .*B, such as cache\.db-import-[0-9a-f]+$/,
    )
    expect(await left()).toMatchObject({ severity: 'advice', what, todo: expect.stringContaining('the next import') })
    expect((await run(['import', directory, '--yes'], streamOf([]))).code).toBe(0)
    expect(await left()).toBeUndefined()
  })

  it('in batches keeps those that it told of', async () => {
    const directory = join(temporaryDirectory(), 'a')
    await someCache(directory)
    const before = new Set(rowsOf(directory))
    const file = join(temporaryDirectory(), 'stream.jsonl')
    writeFileSync(file, stream)
    const running = start('import', directory, file, '--yes', '--batch', '50')
    await until('a first batch', () => running.over || rowsOf(directory).some(row => !before.has(row)))
    running.child.kill('SIGINT')
    const { code, stderr } = await running.ended
    expect([0, 130]).toContain(code)
    if (code === 130) expect(stderr).toMatch(/\d+ entries were stored before this/)
    expect(await findings(directory)).toEqual([])
    expect((await run(['import', directory, file, '--yes', '--json'])).stdout).toContain(`"entries":${ENTRIES}`)
    expect(rowsOf(directory)).toHaveLength(ENTRIES + 1)
  })
})

describe('beside two processes that write', () => {
  it('each entry of an export is whole, and all that stay are in it, once; an import takes nothing from them', async () => {
    const root = temporaryDirectory()
    const directory = join(root, 'a')
    const cache = new FanoutCache(directory, { shards: 2, sizeLimit: 2 ** 30 })
    await cache.setMany(Array.from({ length: 2000 }, (_, at) => [`stays:${at}`, at] as const))
    await cache.close()
    const writers = ['a', 'b'].map(name => new FixtureProcess(WRITER, { directory, name }))
    await Promise.all(writers.map(writer => writer.line('writing')))
    const copies = [join(root, 'first'), join(root, 'second')]
    for (const copy of copies) await importNew(copy, await exported(directory))
    expect(
      await run(['import', directory, '--on-conflict', 'fail'], streamOf([{ key: 'imported', value: 1 }])),
    ).toMatchObject({ code: 0 })
    for (const writer of writers) writer.send('stop')
    await Promise.all(writers.map(writer => writer.line('closed')))
    for (const copy of copies) {
      const imported = new FanoutCache(copy)
      let stays = 0
      for await (const [key, value] of imported.entries<Buffer | number>()) {
        if (String(key).startsWith('stays:')) stays++
        else if (Buffer.isBuffer(value)) expect(value.equals(Buffer.alloc(value.length, value[0]))).toBe(true)
      }
      expect(stays).toBe(2000)
      expect(await imported.check()).toEqual([])
      await imported.close()
    }
    const original = new FanoutCache(directory)
    expect(await original.get('imported')).toBe(1)
    expect(await original.check()).toEqual([])
    await original.close()
  })

  it('a reader who goes away ends an export quietly, and one who reads slowly does not fill its memory', async () => {
    const directory = join(temporaryDirectory(), 'a')
    const cache = new Cache(directory, { sizeLimit: 2 ** 30 })
    for (let at = 0; at < 40; at++) await cache.set(at, Buffer.alloc(5_000_000, at))
    await cache.close()
    const running = start('export', directory)
    running.child.stdout.pause()
    running.child.stdout.removeAllListeners('data')
    await once(running.child.stdout, 'readable')
    if (process.platform === 'linux') {
      // Nothing is read: after some turns it waits, with what a pipe and a stream hold.
      await sleep(300)
      const status = readFileSync(`/proc/${running.child.pid}/status`, 'utf8')
      expect(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1])).toBeLessThan(200_000)
    }
    running.child.stdout.destroy()
    expect(await running.ended).toMatchObject({ code: 0, stderr: '' })
  })
})

const itInTerminal = peer('python') ? it : it.skip
const EXPORTED = /exported .*100,?000.*\/s/

describe('100,000 entries with 2,000 files', () => {
  itInTerminal(
    'show progress in a terminal, and none in a pipe',
    async () => {
      const root = temporaryDirectory()
      const file = join(root, 'stream.jsonl')
      const lines = Array.from({ length: 98_000 }, (_, at) => `{"key":"key:${at}","value":${at},"ttl":"1d"}\n`)
      const files = Array.from({ length: 2000 }, (_, at) => fileEntry(`file:${at}`, Buffer.alloc(600, at))).flat()
      const [header, ...rest] = streamOf(files).split(/(?<=\n)/)
      writeFileSync(file, [header, ...lines, ...rest].join(''))
      const directory = join(root, 'a')
      const shown = await runInTerminal('import', directory, '--create', '--kind', 'FanoutCache', file)
      expect(shown).toMatchObject({ code: 0 })
      expect(shown.stdout).toMatch(/(bytes read|stored) .*\d% \| .*\/s \| .* left/)
      expect(shown.stdout).toContain('100,000 entries, 2,000 files')
      const output = join(root, 'again.jsonl')
      const began = performance.now()
      const again = await runInTerminal('export', directory, output)
      expect(again.code).toBe(0)
      // The program takes part of this to start, and a bar comes after a second: a fast machine may need none.
      const isLong = performance.now() - began > 2500
      expect(again.stdout).toMatch(isLong ? EXPORTED : new RegExp(`^$|${EXPORTED.source}`))
      const piped = await run(['export', directory])
      expect([piped.code, piped.stderr]).toEqual([0, ''])
      expect(statSync(output).size).toBe(Buffer.byteLength(piped.stdout))
      expect(piped.stdout.trimEnd().split('\n').at(-1)).toBe('{"end":{"entries":100000,"files":2000,"bytes":1200000}}')
    },
    120_000,
  )
})

it('an import gives its files and folders the modes of those that are there', async () => {
  const directory = join(temporaryDirectory(), 'a')
  const cache = new Cache(directory, { disk: { directoryMode: 0o2770, fileMode: 0o660 } })
  await cache.set('key', 1)
  await cache.close()
  await run(['import', directory, '--yes'], streamOf(fileEntry('file', Buffer.alloc(40_000))))
  const again = new Cache(directory)
  const { path = '' } = (await again.info('file')) ?? {}
  await again.close()
  const modes = [path, dirname(path)].map(name => (statSync(join(directory, name)).mode & 0o777).toString(8))
  expect(modes).toEqual(['660', '770'])
})
