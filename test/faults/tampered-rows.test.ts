import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { SchemaError, startUpkeep } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { collect } from '../helpers/collect.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { expectNoValueFiles } from '../helpers/value-files.js'
import { cacheOf, KINDS, type Kind, kindsOf } from './support/caches.js'
import { tamper } from './support/tampering.js'

const COMMAND = fileURLToPath(new URL('../../bin/fanout-cache.cjs', import.meta.url))
const LARGE = 'L'.repeat(40_000)
/** Keys of the first database. */
const KEYS = [0, 2, 4, 6]

async function tampered(kind: Kind, sql: string): Promise<string> {
  const directory = temporaryDirectory()
  const cache = cacheOf(kind, directory)
  for (const key of KEYS) await cache.set(key, LARGE, { retry: true, tag: 'all', tags: ['more'] })
  await cache.close()
  tamper(kind, directory, db => db.exec(sql))
  return directory
}

/** What makes rows that no verb finds, or tells apart. */
const UNREACHABLE = {
  'no key, as Python makes it of a NaN': 'UPDATE Cache SET key = NULL WHERE key > 0',
  'no time': 'UPDATE Cache SET store_time = NULL WHERE key > 0',
  'a time that is text': "UPDATE Cache SET store_time = 'x' WHERE key > 0",
}

describe.each(KINDS)('a %s whose database has entries with', kind => {
  it.each(Object.entries(UNREACHABLE))('%s clears them, with their files', async (_name, sql) => {
    const directory = await tampered(kind, sql)
    const cache = cacheOf(kind, directory)
    expect(await cache.get(0)).toBe(LARGE)
    await cache.clear()
    expect(await cache.count()).toBe(0)
    await expectNoValueFiles(directory)
  })

  it.each(Object.entries(UNREACHABLE))(
    '%s removes them by check({ fix }), and counts rightly after',
    async (_, sql) => {
      const directory = await tampered(kind, sql)
      const cache = cacheOf(kind, directory)
      expect(kindsOf(await cache.check({ fix: true }))).toContain('tampered')
      expect(await cache.check()).toEqual([])
      expect(await cache.count()).toBe(1)
      await cache.set(2, 'new', { retry: true })
      expect(await cache.getMany(KEYS)).toEqual([LARGE, 'new', undefined, undefined])
      await cache.clear()
      expect(await cache.count()).toBe(0)
    },
  )

  it('the names of files as bytes takes them for misses', async () => {
    const directory = await tampered(kind, 'UPDATE Cache SET filename = CAST(filename AS BLOB)')
    const cache = cacheOf(kind, directory)
    expect(await cache.get(0)).toBeUndefined()
    expect(await cache.getItem(2)).toBeUndefined()
    expect(await cache.read(4)).toBeUndefined()
    expect(await cache.info(6)).toMatchObject({ key: 6 })
    expect(await collect(cache.entries())).toEqual([])
    expect(await cache.set(0, 'new', { retry: true })).toBe(true)
    await cache.check({ fix: true })
    expect(await cache.check()).toEqual([])
    expect(await cache.getMany(KEYS)).toEqual(['new', undefined, undefined, undefined])
  })

  it.each(['9223372036854775807', '1e300', "'x'", 'NULL', '-5'])(
    'a size of %s, with a file and without, are repaired by check({ fix })',
    async size => {
      const directory = await tampered(
        kind,
        `UPDATE Cache SET size = ${size}; UPDATE Cache SET filename = NULL WHERE key > 2`,
      )
      const cache = cacheOf(kind, directory)
      expect(kindsOf(await cache.check())).toContain('wrong-size')
      await cache.check({ fix: true })
      expect(await cache.check()).toEqual([])
      expect(await cache.volume()).toBeLessThan(2 ** 20)
    },
  )

  it('a size without a file has it right when they are overwritten', async () => {
    const directory = await tampered(kind, 'UPDATE Cache SET filename = NULL, size = 5')
    const cache = cacheOf(kind, directory)
    for (const key of KEYS) await cache.set(key, 'new', { retry: true })
    expect(await cache.getMany(KEYS)).toEqual(KEYS.map(() => 'new'))
    expect(kindsOf(await cache.check())).not.toContain('wrong-size')
    expect(kindsOf(await cache.check())).not.toContain('size')
  })

  it('no row for their number and bytes has it made by check({ fix })', async () => {
    const directory = await tampered(kind, "DELETE FROM Settings WHERE key IN ('count', 'size')")
    const cache = cacheOf(kind, directory)
    expect(kindsOf(await cache.check({ fix: true }))).toEqual(expect.arrayContaining(['count', 'size']))
    expect(await cache.check()).toEqual([])
    expect(await cache.count()).toBe(KEYS.length)
  })

  it('a rowid that is far from the others is listed, swept, evicted and closed at once', async () => {
    const directory = await tampered(kind, 'UPDATE Cache SET rowid = 9007199254740000 WHERE key = 2')
    const cache = cacheOf(kind, directory)
    expect((await collect(cache.keys({ tag: 'all' }))).sort()).toEqual(KEYS)
    const upkeep = startUpkeep(cache)
    // It looks for files that no row names.
    await upkeep.run()
    await upkeep.stop()
    expect(await cache.evict('all', { retry: true })).toBe(KEYS.length)
    await cache.close()
  })

  it.each(['9223372036854775807', '-1'])('rowid %s does not open, and is repaired by the command line', async rowid => {
    const directory = await tampered(kind, `UPDATE Cache SET rowid = ${rowid} WHERE key = 2`)
    await expect(cacheOf(kind, directory).get(0)).rejects.toThrow(SchemaError)
    spawnSync(process.execPath, [COMMAND, 'check', directory, '--fix', '--yes'], { timeout: 30_000 })
    const cache = cacheOf(kind, directory)
    expect(await cache.getMany(KEYS)).toEqual([LARGE, undefined, LARGE, LARGE])
    expect(await cache.check()).toEqual([])
  })
})
