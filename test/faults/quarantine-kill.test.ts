import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type DiskCache, TimeoutError } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { cacheOf, KINDS, type Kind, kindsOf, optionsOf, shardsOf } from './support/caches.js'
import { isSame, overwriteAll } from './support/damage.js'
import { readElsewhere } from './support/reader.js'

const SCRIPT = new URL('./fixtures/quarantiner.mjs', import.meta.url)
const LARGE = 'F'.repeat(40_000)
const FILES = 4
/** More than there are: the last run comes to its end. */
const STEPS = 30
/** Even keys lie in the first shard of two. */
const KEY = 2 * FILES

/** From this step on the database is away. */
const MOVED = 2
/** A shard is moved as a Cache is: some steps show it. */
const BY: Readonly<Record<Kind, number>> = { Cache: 1, FanoutCache: 4 }
const HELD_AT: Readonly<Record<Kind, readonly number[]>> = { Cache: [0, 1, 2, 4], FanoutCache: [2] }

interface Damaged {
  readonly kind: Kind
  readonly directory: string
  /** The directory of the damaged database. */
  readonly shard: string
  readonly survivor: DiskCache
  readonly bytes: Buffer
  readonly files: readonly string[]
}

/**
 * A database that is damaged while somebody has it open, so that its log and shared memory are there. The survivor has
 * it open as well when it is to find the database gone; what it has in memory would hide the damage from it.
 */
async function damaged(kind: Kind, step: number): Promise<Damaged> {
  const directory = temporaryDirectory()
  const survivor = cacheOf(kind, directory, { onCorrupt: 'quarantine', timeout: '1m' })
  for (let key = 0; key < FILES; key += 1) await survivor.set(2 * key, LARGE, { retry: true })
  await survivor.set(KEY, 'old', { retry: true })
  const shard = join(directory, shardsOf(kind)[0] ?? '.')
  const path = join(shard, 'cache.db')
  rawDatabase(shard).prepare('SELECT COUNT(*) FROM Cache').get()
  if (step < MOVED) await survivor.close()
  overwriteAll(path)
  return { kind, directory, shard, survivor, bytes: readFileSync(path), files: filesBelow(shard) }
}

function filesBelow(directory: string): string[] {
  return valueFiles(directory).map(path => relative(directory, path))
}

function quarantiner({ kind, directory }: Damaged, step: number, then: 'die' | 'hang'): FixtureProcess {
  return new FixtureProcess(SCRIPT, { kind, directory, options: optionsOf(kind), key: KEY, step, then })
}

/** One directory holds the damaged database and all that belongs to it; outside there is nothing of it. */
function expectOneQuarantine({ shard, bytes, files }: Damaged): void {
  const moved = readdirSync(shard).filter(name => name.startsWith('cache.db-quarantine-'))
  expect(moved).toHaveLength(1)
  const target = join(shard, moved[0] ?? '')
  expect(target).not.toMatch(/moving/)
  expect(isSame(join(target, 'cache.db'), bytes)).toBe(true)
  expect(readdirSync(target)).toEqual(expect.arrayContaining(['cache.db-wal', 'cache.db-shm']))
  expect(filesBelow(target)).toEqual(files)
  expect(valueFiles(shard).filter(path => !path.startsWith(target))).toEqual([])
}

describe.each(KINDS)('kill -9 of a process that moves the damaged database of a %s aside', kind => {
  it('leaves one quarantine and a cache that works, whatever the step', async () => {
    for (let step = 0; step < STEPS; step += BY[kind]) {
      const scene = await damaged(kind, step)
      const child = quarantiner(scene, step, 'die')
      const { signal, stderr } = await child.ended
      const { survivor, directory } = scene
      expect(await survivor.set(KEY, step, { retry: true }), stderr).toBe(true)
      expect(await survivor.get(KEY)).toBe(step)
      expect(await survivor.has(0)).toBe(false)
      if (step % 4 === 0) expect(await readElsewhere(kind, directory, [KEY])).toEqual([step])
      expect(kindsOf(await survivor.check())).toEqual([])
      await survivor.close()
      expectOneQuarantine(scene)
      if (signal === null) {
        const [, last] = /^ended after (\d+)$/.exec(child.lines.join()) ?? []
        // Its directory, the database, its log, its shared memory, the folders, the name.
        expect(Number(last)).toBeGreaterThanOrEqual(5 + FILES)
        return
      }
    }
    expect.unreachable('it never came to its end')
  })

  it.each(HELD_AT[kind])('lets those go on at once who waited for it, at step %d', async step => {
    const scene = await damaged(kind, step)
    const { directory, survivor, shard } = scene
    const holder = quarantiner(scene, step, 'hang')
    await holder.line('stopped')
    const moved: string[] = []
    survivor.on('quarantine', ({ path }) => moved.push(path))
    let answered = 0
    const count = (): void => {
      answered += 1
    }
    const writing = survivor.set(KEY, 'new', { retry: true }).finally(count)
    // One that opens a cache, where the database is away.
    const reading = step < MOVED ? undefined : readElsewhere(kind, directory, [KEY]).finally(count)
    // Time enough to do the wrong thing: to make a database where one is being moved away.
    await pause(500)
    expect(answered).toBe(0)
    expect(existsSync(join(shard, 'cache.db'))).toBe(step < MOVED)
    await holder.kill()
    expect(await writing).toBe(true)
    await reading
    expect(await survivor.get(KEY)).toBe('new')
    await survivor.close()
    expect(moved.length).toBeLessThanOrEqual(1)
    expectOneQuarantine(scene)
  })
})

describe('a quarantine that was never finished, beside a database that was made since', () => {
  it('takes no files of that, which go into a quarantine of their own when it is damaged as well', async () => {
    const { directory, survivor, files } = await damaged('Cache', 0)
    const unfinished = join(directory, 'cache.db-quarantine-20260101000000-abcdef.moving')
    mkdirSync(unfinished)
    writeFileSync(join(unfinished, 'cache.db'), 'damaged before')
    expect(await survivor.set(KEY, 'new')).toBe(true)
    const [first = '', second = '', ...more] = readdirSync(directory)
      .filter(name => name.startsWith('cache.db-quarantine-'))
      .sort()
    expect([first, more]).toEqual(['cache.db-quarantine-20260101000000-abcdef', []])
    expect(readdirSync(join(directory, first))).toEqual(['cache.db'])
    expect(filesBelow(join(directory, second))).toEqual(files)
    expect(await survivor.get(KEY)).toBe('new')
  })
})

describe('a Cache whose database another process never comes to an end of moving aside', () => {
  it('rejects with TimeoutError after its timeout', async () => {
    const scene = await damaged('Cache', MOVED)
    await scene.survivor.close()
    const holder = quarantiner(scene, MOVED, 'hang')
    await holder.line('stopped')
    const cache = cacheOf('Cache', scene.directory, { timeout: 200 })
    await expect(cache.set(KEY, 'new')).rejects.toThrow(TimeoutError)
    await expect(cache.get(KEY)).rejects.toThrow(TimeoutError)
    await holder.kill()
    expect(await cache.set(KEY, 'new')).toBe(true)
  })
})
