import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Cache, FanoutCache } from 'fanout-cache'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const KEYS = Array.from({ length: 40 }, (_, key) => key)
const LARGE = 'x'.repeat(40_000)

/** What others keep in a directory under names that are numbers. */
const STRANGERS: Readonly<Record<string, (directory: string) => void>> = {
  'years and months': directory => {
    mkdirSync(join(directory, '2025', '12'), { recursive: true })
    mkdirSync(join(directory, '2026', '01'), { recursive: true })
    writeFileSync(join(directory, '2026', '01', 'photo.jpg'), 'mine')
  },
  'rooms and a file': directory => {
    mkdirSync(join(directory, '404'))
    writeFileSync(join(directory, '404', 'index.html'), 'mine')
    writeFileSync(join(directory, '900'), 'mine')
  },
}

function fanout(directory: string, shards?: number): FanoutCache {
  const cache = new FanoutCache(directory, { timeout: '1m', ...(shards === undefined ? {} : { shards }) })
  onTestFinished(() => cache.close())
  return cache
}

async function filled(shards: number): Promise<string> {
  const directory = temporaryDirectory()
  const cache = fanout(directory, shards)
  await cache.setMany(KEYS.map(key => [key, key % 10 ? key : LARGE]))
  await cache.close()
  return directory
}

describe.each(Object.entries(STRANGERS))('%s of somebody else', (_, put) => {
  it('are no shards of a FanoutCache that is there', async () => {
    const directory = await filled(3)
    put(directory)
    const before = readdirSync(directory).sort()
    expect((await fanout(directory).getMany(KEYS)).filter(value => value !== undefined)).toHaveLength(KEYS.length)
    expect(readdirSync(directory).sort()).toEqual(before)
  })

  it('are no shards of a new FanoutCache', async () => {
    const directory = temporaryDirectory()
    put(directory)
    const cache = fanout(directory)
    await cache.setMany(KEYS.map(key => [key, key]))
    const made = readdirSync(directory).filter(name => existsSync(join(directory, name, 'cache.db')))
    expect(made.sort()).toEqual(Array.from({ length: 8 }, (_, at) => `00${at}`))
  })

  it('keep nobody from having a Cache beside them', async () => {
    const directory = temporaryDirectory()
    put(directory)
    await using cache = new Cache(directory)
    expect(await cache.set('key', 1)).toBe(true)
  })
})

describe('the number of shards', () => {
  it('is that of the directories while the databases are still to be made', async () => {
    const directory = temporaryDirectory()
    // From the last one down, as they are made.
    for (const shard of ['004', '003']) mkdirSync(join(directory, shard))
    await fanout(directory).set('key', 1)
    expect(readdirSync(directory).sort()).toEqual(['000', '001', '002', '003', '004'])
  })

  it.each([
    ['the last one', ['004/cache.db', '004/cache.db-wal', '004/cache.db-shm']],
    ['all', ['000', '001', '002', '003', '004'].map(shard => `${shard}/cache.db`)],
    ['some, with all that was in them', ['001', '003']],
  ])('stays when databases are deleted: %s', async (_, deleted) => {
    const directory = await filled(5)
    for (const path of deleted) rmSync(join(directory, path), { recursive: true, force: true })
    const cache = fanout(directory)
    expect(await cache.set('key', 1)).toBe(true)
    await cache.close()
    expect(readdirSync(directory).sort()).toEqual(['000', '001', '002', '003', '004'])
  })
})
