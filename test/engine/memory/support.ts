import {
  type Cache,
  type CacheOptions,
  type DiskCache,
  FanoutCache,
  type MemoryOptions,
  type MemoryStats,
} from 'fanout-cache'
import { onTestFinished } from 'vitest'
import { cacheSubject } from '../../contract/subjects.js'
import { rawDatabase } from '../../helpers/raw-database.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

const subject = cacheSubject('structured')

/** An open cache with memory, in a fresh directory or the one given. */
export async function remembering(
  memory: MemoryOptions = {},
  options: CacheOptions = {},
  directory: string = temporaryDirectory(),
): Promise<Cache> {
  return subject.make({ memory, ...options }, directory).open()
}

/** The same over several databases. */
export async function rememberingShards(
  shards: number,
  memory: MemoryOptions = {},
  directory: string = temporaryDirectory(),
): Promise<FanoutCache> {
  const cache = new FanoutCache(directory, { memory, shards, timeout: '1m' })
  onTestFinished(() => cache.close())
  return cache.open()
}

/** A handle without memory on the same directory: what it reads is what the database has. */
export function forgetful(cache: DiskCache, options: CacheOptions = {}): Cache {
  return subject.make(options, cache.directory)
}

/** Until the loop has turned: what others have committed before is seen after it. */
export async function nextTurn(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
}

export async function figures(cache: DiskCache): Promise<MemoryStats> {
  const { memory } = await cache.stats()
  if (!memory) throw new Error('memory is off')
  return memory
}

/** How many of the reads of `work` were answered by memory. */
export async function hitsOf(cache: DiskCache, work: () => Promise<unknown>): Promise<number> {
  const { hits } = await figures(cache)
  await work()
  return (await figures(cache)).hits - hits
}

/** Writes as another process does: through a connection of its own. */
export class Stranger {
  readonly #directory: string
  /** No two rows are stored at one time: `set` adds to that of a row. */
  #now = 0
  #opened: ReturnType<typeof rawDatabase> | undefined

  constructor(directory: string) {
    this.#directory = directory
  }

  get #db(): ReturnType<typeof rawDatabase> {
    this.#opened ??= rawDatabase(this.#directory)
    return this.#opened
  }

  /** A new value of an entry that is there. */
  set(key: string, value: string | number): { readonly changes: number } {
    return this.#db
      .prepare('UPDATE Cache SET value = ?, mode = 1, store_time = store_time + 1 WHERE key = ?')
      .run(value, key)
  }

  insert(key: string, value: string | number): void {
    this.#now += 1000
    this.#db
      .prepare(
        `INSERT INTO Cache (key, raw, store_time, expire_time, access_time, access_count, tag, size, mode, filename, value)
         VALUES (?, 1, ?, NULL, 1, 0, NULL, 0, 1, NULL, ?)`,
      )
      .run(key, this.#now, value)
  }

  /** Removes an entry and stores another one under its key, at the same time. */
  replace(key: string, value: string | number): void {
    const row = this.#db.prepare('DELETE FROM Cache WHERE key = ? RETURNING *').get(key) as object
    const names = Object.keys(row)
    this.#db
      .prepare(`INSERT INTO Cache (${names.join()}) VALUES (${names.map(name => `@${name}`).join()})`)
      .run({ ...row, value })
  }

  put(key: string, value: string | number): void {
    const { changes } = this.set(key, value)
    if (changes === 0) this.insert(key, value)
  }

  delete(key: string): void {
    this.#db.prepare('DELETE FROM Cache WHERE key = ?').run(key)
  }
}
