import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import Database from 'better-sqlite3'
import { Cache, FanoutCache, type Finding } from 'fanout-cache'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { run as runWith } from '../../dist/cli.mjs'
import { PATIENCE_MILLISECONDS } from '../helpers/patience.js'
import { peer } from '../helpers/peers.js'
import { runPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { documents, type Ended, run, runHere, start, startInTerminal, twoWriters } from './care-support.js'

const ROWS = 100_000
const FILES = 2000
/** Folders of value files. */
const HEX = Array.from({ length: 256 }, (_, at) => at.toString(16).padStart(2, '0'))

const kindsOf = (ended: Ended): string[] => [...new Set(documents<Finding>(ended).map(({ kind }) => kind))].sort()

/** Python's check() of a directory that either language has made. */
function pythonCheck(directory: string, kind: 'Cache' | 'FanoutCache'): Promise<string[]> {
  const name = kind === 'Cache' ? 'Cache' : 'FanoutCache'
  return runPython<string[]>(
    `with ${name}(directory${kind === 'Cache' ? '' : ', shards=shards'}) as cache: return [str(w.message) for w in cache.check()]`,
    { directory, shards: 8 },
  )
}

/** A damaged directory of Python: two entries without files, one short file, a stranger, a wrong count. */
async function damagedByPython(): Promise<string> {
  const directory = join(temporaryDirectory(), 'cache')
  await runPython(
    `
    import glob
    with Cache(directory) as cache:
        for key in range(40):
            cache[key] = b'x' * 40000 if key < 4 else key
    files = sorted(glob.glob(directory + '/*/*/*.val'))
    os.remove(files[0])
    os.remove(files[1])
    os.truncate(files[2], 100)
    open(directory + '/notes.txt', 'w').close()
    sql(directory, "UPDATE Settings SET value = 7 WHERE key = 'count'")
    `,
    { directory },
  )
  return directory
}

/** A cache that has lost track of many of its files. */
async function withOrphans(count: number): Promise<string> {
  const directory = join(temporaryDirectory(), 'cache')
  const cache = new Cache(directory)
  await cache.setMany(Array.from({ length: 100 }, (_, at) => [at, Buffer.alloc(40_000, at)]))
  await cache.close()
  // One that none of the values has taken: names are random.
  const free = HEX.find(name => !existsSync(join(directory, name))) ?? ''
  for (let at = 0; at < count; at++) {
    const folder = join(directory, free, HEX[at % 256] ?? '')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `${at.toString(16).padStart(28, '0')}.val`), 'lost')
  }
  return directory
}

describe('vacuum', () => {
  it.runIf(peer('python'))('shortens a directory of Python, in which Python finds everything', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    // Python's own setting gives pages back with each delete.
    await runPython(
      `
      with FanoutCache(directory, shards=2, sqlite_auto_vacuum=0) as cache:
          for key in range(4000):
              cache[key] = 'x' * 500
          for key in range(20, 4000):
              del cache[key]
      `,
      { directory },
    )
    const size = (): number => statSync(join(directory, '000/cache.db')).size
    const before = size()
    const [dry] = documents<{ freed: number }>(await run('vacuum', directory, '--dry-run', '--json'))
    expect(dry).toEqual({ database: '000', before, after: expect.any(Number), freed: expect.any(Number), dryRun: true })
    expect(dry?.freed).toBeGreaterThan(before / 2)
    expect(size()).toBe(before)
    expect(await run('vacuum', directory)).toMatchObject({ code: 0, stderr: '' })
    expect(size()).toBeLessThan(before / 2)
    const body =
      "with FanoutCache(directory, shards=2) as cache: return sum(cache[key] == 'x' * 500 for key in range(20))"
    expect(await runPython<number>(body, { directory })).toBe(20)
    expect((await run('check', directory)).code).toBe(0)
  })

  it('waits for whoever writes, as long as --timeout says', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = new Cache(directory)
    await cache.set('key', 'value')
    await cache.close()
    const db = new Database(join(directory, 'cache.db'))
    onTestFinished(() => void db.close())
    db.exec('BEGIN IMMEDIATE')
    const ended = run('vacuum', directory, '--timeout', '5m')
    // Long enough for the command to meet the lock; where it comes later, it has nothing to wait for.
    setTimeout(() => db.exec('COMMIT'), 1500)
    expect(await ended).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('check', () => {
  it.runIf(peer('python'))('finds what is wrong in a directory of Python, and --fix repairs it', async () => {
    const directory = await damagedByPython()
    const found = await run('check', directory, '--json')
    expect(found.code).toBe(1)
    const kinds = ['count', 'empty-directory', 'missing-file', 'unknown-file', 'wrong-size']
    expect(kindsOf(found)).toEqual(kinds)
    expect(documents<Finding>(found).every(({ fixed }) => !fixed)).toBe(true)
    const dry = await runHere('check', directory, '--fix', '--dry-run', '--json')
    expect({ ...dry, stderr: '' }).toEqual({ ...found, stderr: '' })

    const fixed = await run('check', directory, '--fix', '--yes')
    expect(fixed.stdout).toMatch(/missing-file +repaired +\w\w\/\w\w\/\w{28}\.val/)
    // The stranger is told, and left.
    expect(fixed.stdout).toMatch(/unknown-file +found +notes\.txt/)
    expect(fixed.code).toBe(1)
    rmSync(join(directory, 'notes.txt'))
    expect(await runHere('check', directory)).toEqual({ code: 0, stdout: 'nothing found in 1 database\n', stderr: '' })
    expect(await pythonCheck(directory, 'Cache')).toEqual([])
  })

  it('covers the caches below a FanoutCache', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = new FanoutCache(directory, { shards: 2 })
    await cache.set('a', 1)
    await cache.cache('jobs/mail').set('large', Buffer.alloc(40_000))
    const { path = '' } = (await cache.cache('jobs/mail').info('large')) ?? {}
    await cache.deque('line').append(1)
    await cache.close()
    rmSync(join(directory, 'cache/jobs/mail', path))
    const { code, stdout } = await runHere('check', directory)
    expect(code).toBe(1)
    expect(stdout).toContain(`cache/jobs/mail/${path}`)
    expect(stdout).toMatch(/found in 4 databases, 0 repaired/)
  })

  it('tells damaged databases beside sound ones, and gives them up only when it is told to', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = new FanoutCache(directory, { shards: 3 })
    await cache.setMany(Array.from({ length: 90 }, (_, at) => [at, at]))
    await cache.close()
    const damaged = ['001', '002'].map(shard => join(directory, shard, 'cache.db'))
    for (const path of damaged) writeFileSync(path, 'a letter, and no database\n'.repeat(1000))
    const found = await runHere('check', directory, '--json')
    expect(found.code).toBe(1)
    const message = expect.stringContaining('not a database')
    expect(documents<Finding>(found)).toEqual([
      { kind: 'integrity', message, path: '001', fixed: false },
      { kind: 'integrity', message, path: '002', fixed: false },
    ])
    const fixed = await runHere('check', directory, '--fix', '--yes')
    expect({ code: fixed.code, stderr: fixed.stderr }).toEqual({
      code: 1,
      stderr: expect.stringContaining('--set-aside'),
    })
    expect(damaged.map(path => statSync(path).size)).toEqual([26_000, 26_000])

    const aside = await runHere('check', directory, '--fix', '--yes', '--set-aside')
    expect(aside.stdout).toMatch(/integrity +repaired +001 +.*\(moved aside\)\n/)
    expect(aside.stderr).toMatch(
      /moved aside: .*001\/cache\.db-quarantine-.*\n.*moved aside: .*002\/cache\.db-quarantine-/,
    )
    expect(aside.code).toBe(0)
    expect((await runHere('check', directory)).code).toBe(0)
    const again = new FanoutCache(directory)
    // The sound shard has kept its third.
    expect(await again.count()).toBe(30)
    await again.close()
  })

  it('gives up no database that it has repaired', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = new Cache(directory)
    await cache.setMany(Array.from({ length: 100 }, (_, at) => [at, at]))
    await cache.close()
    const file = openSync(join(directory, 'cache.db'), 'r+')
    writeSync(file, Buffer.from([0, 1]), 0, 2, 52)
    closeSync(file)
    const fixed = await runHere('check', directory, '--fix', '--yes', '--set-aside')
    expect(fixed).toMatchObject({ code: 0, stdout: expect.stringMatching(/integrity +repaired/), stderr: '' })
    const again = new Cache(directory)
    expect(await again.count()).toBe(100)
    await again.close()
  })

  it('says in one sentence that a database is none of a cache', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    mkdirSync(directory)
    const db = new Database(join(directory, 'cache.db'))
    db.exec('CREATE VIEW Cache AS SELECT 1')
    db.close()
    for (const command of ['check', 'vacuum']) {
      const { code, stderr } = await runHere(command, directory)
      expect({ code, stderr }).toEqual({ code: 4, stderr: expect.stringMatching(/^fanout-cache: .*view Cache.*\n$/) })
    }
    expect((await runHere('doctor', directory)).stdout).toMatch(
      /^trouble +the database is none that this version knows/m,
    )
  })

  it.each([
    ['is damaged', 4, (shard: string) => writeFileSync(join(shard, 'cache.db'), 'x'.repeat(8192))],
    ['is locked', 5, locked],
  ])('names the shard that keeps vacuum from its end, since it %s', async (_what, expected, spoil) => {
    const directory = join(temporaryDirectory(), 'cache')
    const cache = new FanoutCache(directory, { shards: 3 })
    await cache.set('key', 1)
    await cache.close()
    spoil(join(directory, '001'))
    const { code, stderr } = await runHere('vacuum', directory, '--timeout', '50ms')
    expect({ code, stderr }).toEqual({ code: expected, stderr: expect.stringContaining(join(directory, '001')) })
  })

  function locked(shard: string): void {
    const holder = new Database(join(shard, 'cache.db'))
    onTestFinished(() => void holder.close())
    holder.exec('BEGIN IMMEDIATE')
  }

  it('refuses to repair unasked, and before it has looked', async () => {
    const directory = await withOrphans(1)
    const { code, stdout, stderr } = await runHere('check', directory, '--fix')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^fanout-cache: .*--yes.*\n$/)
  })

  it('refuses at once where the question would go to a file', async () => {
    const directory = temporaryDirectory()
    const cache = await new Cache(directory).open()
    await cache.close()
    writeFileSync(join(directory, 'stranger'), '')
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
    const io = { stdin: Object.assign(stdin, { isTTY: true }), stdout, stderr, env: {} }
    const code = await runWith(['check', directory, '--fix'], io, new AbortController().signal)
    expect([code, String(stdout.read() ?? ''), String(stderr.read())]).toEqual([
      2,
      '',
      expect.stringContaining('--yes'),
    ])
  })

  it.runIf(peer('python'))('asks in a terminal what shall be repaired', async () => {
    const directory = await withOrphans(3)
    const refused = startInTerminal('check', directory, '--fix')
    await refused.wrote(/\[y\/N\]/)
    refused.type('n\n')
    expect((await refused.ended).code).toBe(1)
    const agreed = startInTerminal('check', directory, '--fix')
    await agreed.wrote(/3 found in 1 database, 0 repaired, 3 left[\s\S]*\[y\/N\]/)
    agreed.type('y\n')
    const { code, stdout } = await agreed.ended
    // With the folders that were empty then.
    expect(stdout).toMatch(/7 found in 1 database, 7 repaired, 0 left/)
    expect(code).toBe(0)
  })

  it.each(['Cache', 'FanoutCache'] as const)('finds nothing in a %s while two processes write', async kind => {
    const directory = join(temporaryDirectory(), 'cache')
    const writers = await twoWriters(directory, kind)
    // What a writer that stands still for long is in the middle of may be told, and is gone at the next look.
    const check = async (): Promise<string> => (await run('check', directory)).stdout
    await expect.poll(check).toMatch(/^nothing found in \d+ databases?\n$/)
    expect(await run('check', directory, '--fix', '--yes', '--timeout', '5m')).toMatchObject({ code: 0, stderr: '' })
    expect(await run('vacuum', directory, '--timeout', '5m')).toMatchObject({ code: 0, stderr: '' })
    await writers.stop()
    expect((await run('check', directory)).code).toBe(0)
  })

  it.runIf(peer('python'))('leaves a directory that can be checked again, whenever Ctrl-C comes', async () => {
    const orphans = 1500
    const directory = await withOrphans(orphans)
    const cache = new Cache(directory)
    onTestFinished(() => cache.close())
    let left = orphans
    for (const wait of [150, 250, 350]) {
      const command = start('check', directory, '--fix', '--yes', '--json')
      await new Promise(resolve => setTimeout(resolve, wait))
      command.kill('SIGINT')
      const { code, stderr } = await command.ended
      // Killed before it had begun, interrupted, or done.
      expect([null, 0, 130]).toContain(code)
      if (code === 130) expect(stderr).toBe('fanout-cache: interrupted\n')
      const found = await cache.check()
      expect(found.every(({ kind }) => kind === 'unknown-file')).toBe(true)
      expect(found.length).toBeLessThanOrEqual(left)
      left = found.length
    }
    expect((await run('check', directory, '--fix', '--yes')).code).toBe(0)
    expect(await pythonCheck(directory, 'Cache')).toEqual([])
    expect(await cache.count()).toBe(100)
  })
})

describe('on many entries', () => {
  let root: string
  let directory: string

  /** 100,000 items with 2,000 files, most of them by SQL: how they came there does not matter. */
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'fanout-cache-test-'))
    directory = join(root, 'cache')
    const cache = new FanoutCache(directory)
    const files = Array.from({ length: FILES }, (_, at) => [`file-${at}`, `text ${at}`, { file: true }] as const)
    await cache.setMany(files, { retry: true })
    await cache.close()
    for (let shard = 0; shard < 8; shard++) insertRows(join(directory, `00${shard}`), (ROWS - FILES) / 8)
  })

  afterAll(() => rmSync(root, { recursive: true, force: true }))

  /** The lock of a shard, until it is closed or the test is over: a second try finds it free. */
  function locked(shard: string): Database.Database {
    const db = new Database(join(directory, shard, 'cache.db'), { timeout: PATIENCE_MILLISECONDS })
    onTestFinished(() => void db.close())
    return db.exec('BEGIN IMMEDIATE')
  }

  it.runIf(peer('python'))('check --fix shows how far it is in a terminal, and in a pipe does not', async () => {
    // The last shard is locked, so that there is something to be seen however fast the machine is.
    const lock = locked('007')
    const shown = startInTerminal('check', directory, '--fix', '--yes', '--timeout', '5m')
    const silent = start('check', directory, '--fix', '--yes', '--timeout', '5m')
    await shown.wrote(/repairing [^\n]*\d+% \| \d+\/104000 \| [\d,]+\/s \| \S+ left/)
    expect(new Set(shown.stdout.match(/\/\d{4,}(?= )/g))).toEqual(new Set(['/104000']))
    lock.close()
    const done = { code: 0, stdout: 'nothing found in 8 databases\n', stderr: '' }
    expect(await silent.ended).toEqual(done)
    expect(await shown.ended).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('nothing found in 8 databases'),
    })
  })

  it.runIf(peer('python'))('check is stopped by Ctrl-C also while it waits for a lock', async () => {
    locked('000')
    const command = startInTerminal('check', directory, '--fix', '--yes', '--timeout', '10m')
    await command.wrote(/repairing [^\n]*%/)
    command.type('\u0003')
    expect(await command.ended).toMatchObject({ code: 130, stdout: expect.stringContaining('interrupted') })
  })

  it.runIf(peer('python'))('vacuum gives room back, whenever Ctrl-C comes', async () => {
    for (let shard = 0; shard < 8; shard++) {
      const db = new Database(join(directory, `00${shard}/cache.db`), { timeout: PATIENCE_MILLISECONDS })
      db.exec('DELETE FROM Cache WHERE filename IS NULL AND rowid % 2 = 0')
      db.close()
    }
    for (const wait of [150, 300]) {
      const command = start('vacuum', directory)
      await new Promise(resolve => setTimeout(resolve, wait))
      command.kill('SIGINT')
      expect([null, 0, 130]).toContain((await command.ended).code)
    }
    const outcome = await run('vacuum', directory, '--json')
    expect(outcome.code).toBe(0)
    expect(documents<{ database: string }>(outcome).map(({ database }) => database)).toEqual(
      Array.from({ length: 8 }, (_, shard) => `00${shard}`),
    )
    expect((await run('check', directory)).code).toBe(0)
    expect(await pythonCheck(directory, 'FanoutCache')).toEqual([])
  })
})

/** Entries with small values, added as a cache adds them. */
function insertRows(shard: string, count: number): void {
  const db = new Database(join(shard, 'cache.db'))
  db.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     INSERT INTO Cache (key, raw, store_time, access_time, size, mode, value)
     SELECT 'row-' || i, 1, 1.7e9 + i, 1.7e9, 0, 1, 'value ' || i FROM n`,
  ).run(count)
  db.close()
}
