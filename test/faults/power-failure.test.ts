import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { cacheOf } from './support/caches.js'
import { type FailingCalls, failAll, failingCallsAvailable } from './support/failing-calls.js'

const CLI = fileURLToPath(new URL('../../bin/fanout-cache.cjs', import.meta.url))
const WRITER = new URL('./fixtures/durable-writer.mjs', import.meta.url)
const STORED = { set: 'stored', stream: 'stored', setMany: 'stored', transact: 'stored' }
const FAILED = 'ERR_CACHE_STORAGE, a miss'

/** How values that are files were stored where the disk cannot be waited for, after as many others. */
async function store(
  synchronous: number,
  calls: (directory: string) => Pick<FailingCalls, 'calls' | 'path'>,
  others = 0,
): Promise<unknown> {
  const directory = temporaryDirectory()
  const [line] = await new FixtureProcess(WRITER, { directory, synchronous, others }, failAll(calls(directory))).done()
  return JSON.parse(String(line))
}

describe.skipIf(!failingCallsAvailable)('a value that is a file, with synchronous 2', () => {
  it('is stored when its bytes are on the disk', async () => {
    const written = await store(2, () => ({ calls: 'sync', path: 'cache.db-tmp' }))
    expect(written).toEqual({ set: FAILED, stream: FAILED, setMany: FAILED, transact: 'stored' })
    const placed = await store(2, () => ({ calls: 'sync', path: '.val' }))
    expect(placed).toEqual({ ...STORED, transact: FAILED })
  })

  it('is stored when its name is on the disk', async () => {
    const ended = await store(2, directory => ({ calls: 'sync-folder', path: `${directory}/` }))
    expect(ended).toEqual({ set: FAILED, stream: FAILED, setMany: FAILED, transact: FAILED })
  })

  it('is stored when the names of its folders are on the disk, whoever made them', async () => {
    // The first 64 files have a folder each, and the next 63 lie in that of the last.
    const ended = await store(2, directory => ({ calls: 'sync-folder', path: `${directory}$` }), 64)
    expect(ended).toEqual({ set: FAILED, stream: FAILED, setMany: FAILED, transact: FAILED })
  })

  it('is imported when it is on the disk', async () => {
    const [from, to] = [temporaryDirectory(), temporaryDirectory()]
    await cacheOf('Cache', from).set('a', Buffer.alloc(40_000))
    const there = cacheOf('Cache', to, { sqlite: { synchronous: 2 } })
    await there.set('b', 2)
    const input = execFileSync(process.execPath, [CLI, 'export', from])
    for (const failing of [
      { calls: 'sync', path: '/value-' },
      { calls: 'sync-folder', path: `${to}/` },
    ]) {
      const env = { ...process.env, ...failAll(failing) }
      expect(spawnSync(process.execPath, [CLI, 'import', to, '--yes'], { env, input }).status).toBe(4)
      expect(await there.has('a')).toBe(false)
    }
    expect(await there.check()).toEqual([])
  })

  it('is not waited for with synchronous 1', async () => {
    expect(await store(1, directory => ({ calls: 'sync-folder', path: `${directory}/` }))).toEqual(STORED)
    for (const path of ['cache.db-tmp', '.val']) expect(await store(1, () => ({ calls: 'sync', path }))).toEqual(STORED)
  })
})
