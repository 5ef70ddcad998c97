import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { CacheOptions, DiskCache, Waiting } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { openFiles } from '../helpers/open-files.js'
import { peer } from '../helpers/peers.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { cacheOf, KINDS, type Kind, kindsOf, optionsOf, shardsOf } from './support/caches.js'
import { LockHolder } from './support/lock-holder.js'

const SCRIPT = new URL('./fixtures/batch-writer.mjs', import.meta.url)
/** Longer than a value, shorter than a log or a database that has been written to. */
const SHORT = 45_000
const OLD = [
  'old inline',
  'old file',
  null,
  'old file',
  'old inline',
  1,
  'old inline',
  'old file',
  'old inline',
  'old file',
]
const NEW = ['new inline', 'new file', 'new file', null, null, 2, 'new inline', 'new file', 'new inline', 'new file']

/** A process that writes batches. */
class Writer {
  readonly #process: FixtureProcess

  constructor(kind: Kind, directory: string, options: CacheOptions) {
    this.#process = new FixtureProcess(SCRIPT, { kind, directory, options: optionsOf(kind, options) })
  }

  async call(command: string): Promise<unknown> {
    const from = this.#process.lines.length
    this.#process.send(command)
    const [verb = ''] = command.split(' ')
    const line = await this.#process.line(verb, from)
    return JSON.parse(line.slice(verb.length)) as unknown
  }

  /** No file gets longer than this, and nothing is written beyond: writes fail with EFBIG. */
  limitFiles(bytes: number | 'unlimited'): void {
    const { status, stderr } = spawnSync('prlimit', ['--pid', String(this.#process.pid), `--fsize=${bytes}:unlimited`])
    if (status !== 0) throw new Error(`prlimit failed: ${String(stderr)}`)
  }

  async done(): Promise<void> {
    await this.#process.done()
  }
}

/** How long the log is, or the database where there is none. */
function length(kind: Kind, directory: string, suffix: string): number {
  return statSync(join(directory, shardsOf(kind)[0] ?? '.', `cache.db${suffix}`)).size
}

/** A rollback journal that cannot be played back keeps even readers out. */
const FAILURES = [
  { name: 'at the first byte of the log', journalMode: 'wal', limit: (log: number) => log, read: OLD },
  { name: 'in the middle of the log', journalMode: 'wal', limit: (log: number) => log + 5000, read: OLD },
  { name: 'in the middle of the database', journalMode: 'delete', limit: () => SHORT, read: 'ERR_CACHE_STORAGE' },
] as const

describe.skipIf(!peer('prlimit')).each(KINDS)('a %s whose COMMIT cannot write', kind => {
  it.each(FAILURES)(
    'fails every write of the batch $name, leaves nothing of them, and works again later',
    async ({ journalMode, limit, read }) => {
      const directory = temporaryDirectory()
      const writer = new Writer(kind, directory, { sqlite: { journalMode } })
      await writer.call('fill')
      expect(await writer.call('read')).toEqual(OLD)
      const files = valueFiles(directory)
      const log = length(kind, directory, journalMode === 'wal' ? '-wal' : '')
      expect(log).toBeGreaterThan(SHORT)

      writer.limitFiles(limit(log))
      for (let round = 0; round < 3; round += 1) {
        const ended = await writer.call('write new')
        expect(ended).toEqual(Array.from({ length: 8 }, () => 'ERR_CACHE_STORAGE'))
        expect(await writer.call('read')).toEqual(read)
        await expect.poll(() => valueFiles(directory)).toEqual(files)
      }

      writer.limitFiles('unlimited')
      expect(await writer.call('read')).toEqual(OLD)
      expect(await writer.call('write new')).toEqual([true, true, true, true, 'old inline', 2, [true, true], true])
      expect(await writer.call('read')).toEqual(NEW)
      await writer.call('close')
      await writer.done()
      const cache = cacheOf(kind, directory)
      expect(await cache.get(10)).toBe(2)
      expect(kindsOf(await cache.check())).toEqual([])
    },
  )
})

const ROLLBACK_JOURNAL = { sqlite: { journalMode: 'delete' } } as const
const LARGE = 'L'.repeat(40_000)

/** Writes of one turn on even keys, which lie in one database. */
function writesOn(cache: DiskCache, options: Waiting): Promise<unknown>[] {
  return [
    cache.set(0, 'new', options),
    cache.set(2, `new ${LARGE}`, options),
    cache.add(20, LARGE, options),
    cache.pop(4, options),
    cache.incr(6, 1, options),
    cache.setMany([[8, `many ${LARGE}`]], options),
    cache.deleteMany([10, 12], options),
    cache.transact(tx => tx.set(14, LARGE) && tx.incr(6), { ...options, keys: [14, 6] }),
  ]
}

async function withRollbackJournal(kind: Kind, options: CacheOptions = {}) {
  const directory = temporaryDirectory()
  const cache = cacheOf(kind, directory, { ...ROLLBACK_JOURNAL, ...options })
  for (const key of [0, 2, 4, 8, 10, 12, 14]) await cache.set(key, key % 4 === 0 ? 'old' : LARGE, { retry: true })
  await cache.set(6, 1, { retry: true })
  await cache.set(1, LARGE, { retry: true })
  return { cache, directory }
}

describe.each(KINDS)('a %s with a rollback journal whose COMMIT is held up by a process that reads', kind => {
  it('makes every write once when the other has read', async () => {
    const { cache, directory } = await withRollbackJournal(kind)
    const reader = await LockHolder.reading(kind, directory)
    const writing = Promise.all(writesOn(cache, { retry: true }))
    const late = new Promise(resolve => setTimeout(resolve, 300, 'waiting'))
    expect(await Promise.race([writing, late])).toBe('waiting')
    await reader.free()
    expect(await writing).toEqual([true, true, true, 'old', 2, [true], [true, true], 3])
    expect(await cache.getMany([0, 2, 20, 4, 6, 8, 10, 12, 14])).toEqual([
      'new',
      `new ${LARGE}`,
      LARGE,
      undefined,
      3,
      `many ${LARGE}`,
      undefined,
      undefined,
      LARGE,
    ])
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('turns every write down at its timeout, leaves nothing of them, and reads on', async () => {
    const { cache, directory } = await withRollbackJournal(kind)
    const files = valueFiles(directory)
    const before = await cache.getMany([0, 2, 20, 4, 6, 8, 10, 12, 14])
    const reader = await LockHolder.reading(kind, directory)
    const ended = await Promise.allSettled(writesOn(cache, { timeout: 200 }))
    if (kind === 'Cache') {
      for (const outcome of ended) expect(outcome).toMatchObject({ reason: { code: 'ERR_CACHE_TIMEOUT' } })
    } else {
      const refused = [false, false, false, undefined, undefined, [false], [false, false], undefined]
      expect(ended).toEqual(refused.map(value => ({ status: 'fulfilled', value })))
    }
    expect(await cache.getMany([0, 2, 20, 4, 6, 8, 10, 12, 14])).toEqual(before)
    await expect.poll(() => valueFiles(directory)).toEqual(files)
    await reader.free()
    expect(await Promise.all(writesOn(cache, { retry: true }))).toEqual([
      true,
      true,
      true,
      'old',
      2,
      [true],
      [true, true],
      3,
    ])
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it.skipIf(process.platform !== 'linux')('leaves no file open that a read before the COMMIT has opened', async () => {
    const { cache, directory } = await withRollbackJournal(kind)
    for (const timeout of [60_000, 100]) {
      const reader = await LockHolder.reading(kind, directory)
      const writing = cache.set(2, `new ${LARGE}`, { timeout }).catch(() => false)
      const reading = Promise.all([cache.read(2, { timeout }), cache.read(2, { timeout })])
      await pause(150)
      await reader.free()
      await writing
      for (const file of await reading) await file?.close()
      expect(openFiles(directory)).toEqual([])
    }
  })

  it('runs the body of a transaction once', async () => {
    const { cache, directory } = await withRollbackJournal(kind)
    const reader = await LockHolder.reading(kind, directory)
    let runs = 0
    const body = (): void => {
      runs += 1
    }
    const writing = cache.transact(
      tx => {
        body()
        tx.set(0, LARGE)
        return tx.incr(6)
      },
      { retry: true },
    )
    await expect.poll(() => runs).toBe(1)
    await reader.free()
    expect(await writing).toBe(2)
    expect(runs).toBe(1)
    expect(await cache.getMany([0, 6])).toEqual([LARGE, 2])
  })
})

describe('a transaction over two databases', () => {
  it('waits with its second COMMIT for a process that reads', async () => {
    const { cache, directory } = await withRollbackJournal('FanoutCache')
    const reader = await LockHolder.reading('FanoutCache', directory, ['001'])
    const writing = cache.transact(tx => tx.set(0, `new ${LARGE}`) && tx.set(1, `new ${LARGE}`), { timeout: 50 })
    const journals = (): boolean[] =>
      ['000', '001'].map(shard => existsSync(join(directory, shard, 'cache.db-journal')))
    await expect.poll(journals, { interval: 5 }).toEqual([false, true])
    // Past its timeout: the first database is committed, and half a transaction would be worse.
    await pause(100)
    await reader.free()
    expect(await writing).toBe(true)
    expect(await cache.getMany([0, 1])).toEqual([`new ${LARGE}`, `new ${LARGE}`])
    expect(kindsOf(await cache.check())).toEqual([])
  })

  it('keeps what its first COMMIT made when the second fails, with its files', async () => {
    const { cache, directory } = await withRollbackJournal('FanoutCache')
    const reader = await LockHolder.reading('FanoutCache', directory, ['001'])
    expect(await cache.transact(tx => tx.set(0, `new ${LARGE}`) && tx.set(1, `new ${LARGE}`))).toBe(undefined)
    await reader.free()
    expect(await cache.getMany([0, 1])).toEqual([`new ${LARGE}`, LARGE])
    expect(await cache.set(1, 'later', { retry: true })).toBe(true)
    expect(kindsOf(await cache.check())).toEqual([])
  })
})
