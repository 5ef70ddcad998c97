import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Cache, FanoutCache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { fillUp, mountTmpfs, remount, tmpfsAvailable } from '../faults/support/tmpfs.js'
import { peer } from '../helpers/peers.js'
import { runPython } from '../helpers/python.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { documents, type Ended, run, runHere, treeOf, twoWriters } from './care-support.js'

interface Diagnosis {
  readonly kind: string
  readonly findings: readonly {
    readonly id: string
    readonly severity: string
    readonly what: string
    readonly todo?: string
    readonly where?: readonly string[]
  }[]
}

const NOBODY = 65534
const HOUR = 3_600_000
const isRoot = process.getuid?.() === 0

/** What `doctor --json` has found that is not good, by its id. */
function found(ended: Ended): Record<string, string> {
  const [diagnosis] = documents<Diagnosis>(ended)
  const bad = (diagnosis?.findings ?? []).filter(({ severity }) => severity !== 'ok')
  return Object.fromEntries(bad.map(({ id, severity }) => [id, severity]))
}

/** Of a directory of the test's: that its machine keeps these in memory is no matter of the cache. */
function foundHere(ended: Ended): Record<string, string> {
  const { 'file-system': kind, ...others } = found(ended)
  return kind === 'trouble' ? { ...others, 'file-system': kind } : others
}

/** A closed cache with some values, of which three are files. */
async function made(directory: string): Promise<void> {
  const cache = new FanoutCache(directory, { shards: 2, sizeLimit: 4 * 2 ** 20 })
  await cache.setMany(Array.from({ length: 30 }, (_, at) => [at, at % 10 === 0 ? Buffer.alloc(40_000) : at]))
  await cache.cache('jobs').set('a', 1)
  await cache.close()
}

async function makeCache(): Promise<string> {
  const directory = join(temporaryDirectory(), 'cache')
  await made(directory)
  return directory
}

describe('doctor', () => {
  it('says that all is well, for people and for scripts, and changes nothing', async () => {
    const directory = await makeCache()
    const before = treeOf(directory)
    const told = await run('doctor', directory)
    expect(told).toMatchObject({ code: 0, stderr: '' })
    expect(told.stdout).toMatch(/^ok +3 databases, all readable$/m)
    expect(told.stdout).toMatch(/^ok +31 entries, 0 expired, 3 value files$/m)
    const [diagnosis] = documents<Diagnosis>(await run('doctor', directory, '--json'))
    expect(diagnosis?.kind).toBe('FanoutCache')
    expect(treeOf(directory)).toEqual(before)
  })

  it('finds what crashes and strangers left, and what is stored wrongly', async () => {
    const directory = await makeCache()
    const shard = join(directory, '001')
    const old = (Date.now() - 2 * HOUR) / 1000
    const file = (path: string, seconds: number): void => {
      writeFileSync(join(shard, path), 'left')
      utimesSync(join(shard, path), seconds, seconds)
    }
    mkdirSync(join(shard, 'ee/ee'), { recursive: true })
    file(`ee/ee/${'0'.repeat(28)}.val`, old)
    // May be on its way to its row still.
    file(`ee/ee/${'1'.repeat(28)}.val`, Date.now() / 1000)
    file(`cache.db-tmp-${'0'.repeat(32)}`, old)
    file('notes.txt', old)
    mkdirSync(join(shard, 'cache.db-quarantine-20260101000000-abcdef'))
    writeFileSync(join(directory, 'core'), '')
    const db = rawDatabase(shard)
    db.exec(`UPDATE Cache SET store_time = store_time + 7200 WHERE rowid = 1;
             UPDATE Settings SET value = 0 WHERE key = 'sqlite_synchronous'`)
    db.close()
    const ended = await runHere('doctor', directory, '--json')
    expect(foundHere(ended)).toEqual({
      orphans: 'advice',
      temporary: 'advice',
      foreign: 'advice',
      quarantine: 'advice',
      strangers: 'advice',
      clock: 'trouble',
      synchronous: 'advice',
    })
    expect(ended.code).toBe(1)
    const orphans = documents<Diagnosis>(ended)[0]?.findings.find(({ id }) => id === 'orphans')
    expect(orphans).toMatchObject({ what: expect.stringMatching(/^1 value file .*001\/ee\/ee\/0{28}/), where: ['001'] })
  })

  it.runIf(peer('python'))('looks at a directory of Python, with a lock that nobody will give back', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    await runPython(
      `
      from diskcache import Lock
      cache = Cache(directory, statistics=1, disk_min_file_size=10, sqlite_journal_mode='delete')
      cache['large'] = b'x' * 1000
      Lock(cache, 'lock').acquire()
      cache.close()
      sql(directory, "UPDATE Cache SET store_time = store_time - 90000")
      `,
      { directory },
    )
    const before = treeOf(directory)
    const ended = await run('doctor', directory, '--json')
    expect(foundHere(ended)).toEqual({
      'python-triggers': 'advice',
      'journal-mode': 'advice',
      statistics: 'advice',
      'min-file-size': 'advice',
      locks: 'advice',
    })
    expect(ended.code).toBe(0)
    expect(treeOf(directory)).toEqual(before)
  })

  it('finds missing and damaged shards', async () => {
    const directory = await makeCache()
    rmSync(join(directory, '000'), { recursive: true })
    writeFileSync(join(directory, '001/cache.db'), 'no database at all\n'.repeat(500))
    const ended = await runHere('doctor', directory)
    expect(ended.code).toBe(1)
    expect(ended.stdout).toMatch(/^trouble +the database cannot be read: .*not a database \[001\]$/m)
    expect(ended.stdout).toMatch(/^trouble +1 of 2 shards have no database \[000\]$/m)
    expect(existsSync(join(directory, '000'))).toBe(false)
  })

  it('finds nothing wrong with a cache that two processes write to', async () => {
    const directory = join(temporaryDirectory(), 'cache')
    const writers = await twoWriters(directory, 'FanoutCache')
    const ended = await run('doctor', directory, '--json')
    await writers.stop()
    expect({ code: ended.code, stderr: ended.stderr, found: foundHere(ended) }).toEqual({
      code: 0,
      stderr: '',
      found: {},
    })
  })

  it.runIf(isRoot)('says why nginx answers 403, and which chmod helps', async () => {
    const directory = await makeCache()
    // The directory above is one of the test, and closed to others.
    chmodSync(join(directory, '..'), 0o755)
    const closed = await runHere('doctor', directory, '--web-user', 'nobody')
    expect(closed.code).toBe(1)
    expect(closed.stdout).toMatch(/^trouble +nobody may not read the directory \(0700\): it gets 403/m)
    expect(closed.stdout).toContain(`find ${directory} -type d -exec chmod 2750 {} +`)

    const opened = join(temporaryDirectory(), 'cache')
    chmodSync(join(opened, '..'), 0o755)
    mkdirSync(opened)
    chownSync(opened, 0, NOBODY)
    chmodSync(opened, 0o2750)
    const cache = new Cache(opened, { disk: { directoryMode: 0o2750, fileMode: 0o640 } })
    await cache.set('film', Buffer.alloc(40_000))
    await cache.close()
    const open = await runHere('doctor', opened, '--web-user', `${NOBODY}`)
    expect(open.stdout).toMatch(/^ok +nobody can read the value files$/m)

    const unknown = await runHere('doctor', opened, '--web-user', 'no-such-user')
    expect(unknown).toEqual({
      code: 2,
      stdout: '',
      stderr: 'fanout-cache: there is no user no-such-user on this machine\n',
    })
  })

  it.runIf(isRoot)('finds files of another owner, and what it may not look into', async () => {
    const directory = await makeCache()
    chownSync(join(directory, '000/cache.db'), NOBODY, NOBODY)
    const { stdout } = await runHere('doctor', directory)
    expect(stdout).toMatch(/^trouble +most of it belongs to user 0, but 1 to user 65534 \(000\/cache\.db\)$/m)
  })
})

describe.skipIf(!tmpfsAvailable)('doctor on a small file system', () => {
  it('tells a disk that is all but full, and looks at what is on one that is read-only', async () => {
    const root = mountTmpfs('size=24m')
    const directory = join(root, 'cache')
    await made(directory)
    // As beside a service: its log and shared memory are there.
    const cache = new FanoutCache(directory, { readonly: true })
    await cache.get(1)
    fillUp(root)
    const full = await run('doctor', directory, '--json')
    expect(found(full)).toMatchObject({ 'file-system': 'advice', 'free-space': 'trouble', 'size-limit': 'advice' })
    await cache.close()
    remount(root, 'ro')
    const readonly = await run('doctor', directory, '--json')
    remount(root, 'rw')
    expect(readonly.code).toBe(1)
    expect(found(readonly)).toMatchObject({ writable: 'trouble' })
  })
})
