import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import Database from 'better-sqlite3'
import { FanoutCache } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { run } from '../../dist/cli.mjs'
import { peer } from '../helpers/peers.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { start, startInTerminal } from './care-support.js'

const ENTRIES = 1000

/** Entries that all have expired, under one prefix and one tag. */
async function expiredCache(): Promise<string> {
  const directory = join(temporaryDirectory(), 'cache')
  await using cache = new FanoutCache(directory, { shards: 2, cullLimit: 0 })
  const entries = Array.from({ length: ENTRIES }, (_, at) => [`k:${at}`, at, { ttl: 1, tag: 'old' }] as const)
  await cache.setMany(entries)
  await cache.set('other', 'stays', { ttl: null })
  return directory
}

/** Locks a shard, so that whatever waits for it lasts longer than a second. */
function lockShard(directory: string): () => void {
  const lock = new Database(join(directory, '001', 'cache.db'))
  onTestFinished(() => {
    lock.close()
  })
  lock.exec('BEGIN IMMEDIATE')
  return () => lock.exec('ROLLBACK')
}

describe.runIf(peer('python'))('removals that take longer than a second', { timeout: 60_000 }, () => {
  it.each([
    ['expire', [], 1],
    ['cull', ['--yes'], 1],
    ['evict', ['old', '--yes'], 1],
    ['delete', ['--prefix', 'k:', '--yes'], 1],
    ['clear', ['--yes'], 0],
  ] as const)('show by %s how far they are in a terminal, and in a pipe do not', async (name, operands, left) => {
    const directory = await expiredCache()
    const unlock = lockShard(directory)
    const shown = startInTerminal(name, directory, ...operands, '--timeout', '60s')
    const silent = start(name, directory, ...operands, '--timeout', '60s')
    await shown.wrote(/(removing|deleting) [^\n]*\d+[^\n]*\/s/)
    unlock()
    expect(await shown.ended).toMatchObject({ code: 0 })
    expect(await silent.ended).toMatchObject({ code: 0, stderr: '' })
    await using cache = new FanoutCache(directory)
    expect(await cache.count()).toBe(left)
  })
})

it('a dumb terminal is shown no bar, which it could only write down', async () => {
  const shown = async (TERM: string): Promise<string> => {
    const directory = await expiredCache()
    const unlock = lockShard(directory)
    const stderr = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24 })
    if (TERM === 'dumb') setTimeout(unlock, 1500)
    else stderr.once('readable', unlock)
    const io = { stdin: new PassThrough(), stdout: new PassThrough(), stderr, env: { TERM } }
    expect(await run(['expire', directory, '--timeout', '60s'], io, new AbortController().signal)).toBe(0)
    return text(stderr.end())
  }
  expect(await shown('dumb')).toBe('')
  expect(await shown('xterm')).toMatch(/removing/)
})
