import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf } from './support/caches.js'
import { type FailingCalls, failAll, failEach, failingCallsAvailable } from './support/failing-calls.js'

const CLI = fileURLToPath(new URL('../../bin/fanout-cache.cjs', import.meta.url))

const FAULTS: readonly FailingCalls[] = [
  { kind: 'Cache', program: 'files', calls: 'create write close', path: 'cache.db-tmp', error: 'EIO' },
  { kind: 'FanoutCache', program: 'files', calls: 'open fstat read close', path: '.val', error: 'EIO' },
  { kind: 'Cache', program: 'files', calls: 'stat', path: '/', error: 'EIO' },
  { kind: 'Cache', program: 'streams', calls: 'open fstat read close', path: '.val', error: 'EIO' },
  { kind: 'FanoutCache', program: 'streams', calls: 'read', path: '.val', error: 'short' },
  { kind: 'Cache', program: 'entries', calls: 'open create', path: '/', error: 'EMFILE' },
  { kind: 'Cache', program: 'entries', calls: 'write', path: 'cache.db-wal', error: 'EIO' },
  { kind: 'Cache', program: 'reading', calls: 'write', path: 'cache.db-wal', error: 'EIO', persists: true },
  { kind: 'Cache', program: 'computing', calls: 'write', path: 'cache.db-wal', error: 'EIO', persists: true },
  { kind: 'Cache', program: 'answers', calls: 'create write', path: 'cache.db-tmp', error: 'EIO' },
  { kind: 'Cache', program: 'answers', calls: 'read', path: '/', error: 'EIO' },
  { kind: 'Cache', program: 'quota', calls: 'create write', path: 'cache.db-tmp', error: 'EDQUOT' },
  { kind: 'Cache', program: 'quota', calls: 'create write', path: 'cache.db', error: 'EDQUOT', persists: true },
  { kind: 'FanoutCache', program: 'quota', calls: 'write', path: 'cache.db', error: 'EDQUOT', persists: true },
  { kind: 'Cache', program: 'quarantine', calls: 'rename-folder', path: '/', error: 'EXDEV', persists: true },
  { kind: 'Cache', program: 'log', calls: 'stat', path: 'cache.db-wal', error: 'EIO', persists: true },
]

describe.skipIf(!failingCallsAvailable)('one failing system call after the other', () => {
  it.each(FAULTS)('does no lasting harm to a $kind: $program, $calls of $path', async fault => {
    const { failed, complaints } = await failEach(fault)
    expect(complaints).toEqual([])
    expect(failed).toBeGreaterThan(0)
  })

  it('leaves an import done whose stage cannot be removed', async () => {
    const [from, to] = [temporaryDirectory(), temporaryDirectory()]
    await cacheOf('Cache', from).set('a', Buffer.alloc(40_000))
    await cacheOf('Cache', to).set('b', 2)
    const stream = execFileSync(process.execPath, [CLI, 'export', from])
    const env = { ...process.env, ...failAll({ calls: 'rmdir', path: 'cache.db-import-' }) }
    const { status, stderr } = spawnSync(process.execPath, [CLI, 'import', to, '--yes'], { env, input: stream })
    expect({ status, stderr: String(stderr) }).toEqual({ status: 0, stderr: '' })
    expect(readdirSync(to).filter(name => name.startsWith('cache.db-import-'))).toHaveLength(1)
    expect(await cacheOf('Cache', to).getMany(['a', 'b'])).toEqual([Buffer.alloc(40_000), 2])
  })

  it('leaves an exported file as it was when the new one cannot be synced', async () => {
    const directory = temporaryDirectory()
    await cacheOf('Cache', directory).set('a', 1)
    const path = join(temporaryDirectory(), 'export.jsonl')
    writeFileSync(path, 'before')
    const env = { ...process.env, ...failAll({ calls: 'sync', path: '.part' }) }
    expect(spawnSync(process.execPath, [CLI, 'export', directory, path], { env }).status).toBe(4)
    expect(readFileSync(path, 'utf8')).toBe('before')
    expect(readdirSync(dirname(path))).toEqual(['export.jsonl'])
  })

  it('leaves the stage of a running import alone that cannot be opened', async () => {
    const directory = temporaryDirectory()
    await cacheOf('Cache', directory).set('a', 1)
    const stage = join(directory, 'cache.db-import-0123456789abcdef')
    mkdirSync(stage)
    const running = new Database(join(stage, 'stage.db'))
    onTestFinished(() => void running.close())
    running.exec('PRAGMA journal_mode = OFF; CREATE TABLE Row (filename); BEGIN EXCLUSIVE')
    const stream = execFileSync(process.execPath, [CLI, 'export', directory])
    const env = { ...process.env, ...failAll({ calls: 'open create', path: stage }) }
    execFileSync(process.execPath, [CLI, 'import', directory, '--yes'], { env, input: stream })
    expect(existsSync(join(stage, 'stage.db'))).toBe(true)
  })
})
