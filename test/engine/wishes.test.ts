import { chmodSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { CacheOptions, DiskCache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { cacheSubject, fanoutSubject, LARGE, type Subject } from '../contract/subjects.js'
import { rawDatabase } from '../helpers/raw-database.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'

// What users of DiskCache ask for and no other test shows; all wishes are in test/upstream/rest.json.

const SUBJECTS: readonly Subject[] = [cacheSubject('structured'), fanoutSubject('structured')]
const isLinux = process.platform === 'linux'

async function filled(subject: Subject, options?: CacheOptions, directory?: string): Promise<DiskCache> {
  const cache = subject.make(options, directory)
  for (let key = 0; key < 12; key += 1) await cache.set(key, key % 2 ? 'small' : LARGE, { tags: ['a'] })
  return cache
}

/** Everything at and below a path, with its mode in octal digits: `d` and `f` tell directories from files. */
function modes(path: string): string[] {
  const below = readdirSync(path, { recursive: true, encoding: 'utf8' }).map(name => join(path, name))
  const told = [path, ...below].map(one => {
    const stat = statSync(one)
    return `${stat.isDirectory() ? 'd' : 'f'}${(stat.mode & 0o7777).toString(8)}`
  })
  return [...new Set(told)].sort()
}

function databases(cache: DiskCache): string[] {
  return readdirSync(cache.directory, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('cache.db'))
    .map(name => join(cache.directory, name))
}

describe.each(SUBJECTS)('a $name', subject => {
  it.skipIf(process.platform === 'win32').each([
    [{}, ['d700', 'f600']],
    [{ directoryMode: 0o750, fileMode: 0o640 }, ['d750', 'f640']],
    [{ directoryMode: 0o2775, fileMode: 0o664 }, ['d2775', 'f664']],
  ])('directories and files have the modes that are asked for, whatever the umask: %j', async (disk, expected) => {
    const umask = process.umask(0o077)
    try {
      const cache = await filled(subject, { disk }, join(temporaryDirectory(), 'new', 'deep'))
      expect(statSync(join(cache.directory, '..')).mode & 0o7777).toBe(statSync(cache.directory).mode & 0o7777)
      expect(modes(cache.directory)).toEqual(expected)
    } finally {
      process.umask(umask)
    }
  })

  it.skipIf(process.platform === 'win32')('what is made later has the modes of the cache that is there', async () => {
    const disk = { directoryMode: 0o2770, fileMode: 0o660 }
    const umask = process.umask(0o077)
    try {
      const first = await filled(subject, { disk }, join(temporaryDirectory(), 'new'))
      await first.close()
      const second = await filled(subject, {}, first.directory)
      expect(modes(second.directory)).toEqual(['d2770', 'f660'])
      const third = subject.make({ disk }, first.directory)
      expect(await third.set('key', 1)).toBe(true)
    } finally {
      process.umask(umask)
    }
  })

  it.skipIf(process.platform === 'win32')(
    'nobody may change what is made in a volume that is open to all',
    async () => {
      const first = subject.make({ disk: { directoryMode: 0o777, fileMode: 0o644 } })
      await first.set('key', 1)
      await first.close()
      for (const path of databases(first)) chmodSync(dirname(path), 0o777)
      const second = subject.make({}, first.directory)
      await second.set('new', LARGE)
      const { path } = (await second.info('new')) as { path: string }
      const file = join(second.directory, path)
      expect([statSync(file).mode & 0o777, statSync(dirname(file)).mode & 0o777]).toEqual([0o644, 0o755])
    },
  )

  it('opening a directory that is up to date writes nothing', async () => {
    const first = await filled(subject, { cullLimit: 7, statistics: true })
    await first.close()
    const watchers = databases(first).map(path => rawDatabase(join(path, '..')))
    expect(watchers.length).toBeGreaterThan(0)
    const versions = () => watchers.map(db => db.pragma('data_version', { simple: true }))
    const before = versions()
    for (const options of [{}, { cullLimit: 7 }]) {
      const cache = subject.make(options, first.directory)
      await cache.open()
      expect(await cache.has(0)).toBe(true)
      expect(await cache.count()).toBe(12)
      expect((await cache.settings()).cullLimit).toBe(7)
      await cache.close()
    }
    expect(versions()).toEqual(before)
  })

  it.runIf(isLinux)(
    'many caches of one directory have the files of one open, and none when all are closed',
    async () => {
      const first = await filled(subject)
      const files = (): number =>
        readdirSync('/proc/self/fd').filter(fd => linkOf(`/proc/self/fd/${fd}`).startsWith(first.directory)).length
      const one = files()
      expect(one).toBeGreaterThan(0)
      const others = Array.from({ length: 30 }, () => subject.make({}, first.directory))
      await Promise.all(others.map(cache => cache.get(0)))
      expect(files()).toBe(one)
      await Promise.all([first, ...others].map(cache => cache.close()))
      expect(files()).toBe(0)
    },
  )

  it.runIf(isLinux)('no file is mapped into memory unless sqlite.mmapSize asks for it', async () => {
    const first = await filled(subject)
    const mapped = (): boolean =>
      databases(first).some(path => readFileSync('/proc/self/maps', 'utf8').includes(`${path}\n`))
    expect(await first.get(0)).toBe(LARGE)
    expect(mapped()).toBe(false)
    await first.close()
    const second = subject.make({ sqlite: { mmapSize: 2 ** 24 } }, first.directory)
    expect(await second.get(0)).toBe(LARGE)
    expect(mapped()).toBe(true)
  })

  it('every value file has a name of its own, which is not used again', async () => {
    const cache = await filled(subject)
    const seen = new Set(valueFiles(cache.directory))
    expect(seen.size).toBe(6)
    for (let round = 0; round < 20; round += 1) {
      const path = (await cache.info(0))?.path ?? ''
      await (round % 3 ? cache.set(0, `${round}${LARGE}`) : cache.delete(0).then(() => cache.set(0, LARGE)))
      const next = (await cache.info(0))?.path ?? ''
      expect(next).toMatch(/^(\d{3}\/)?[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{28}\.val$/)
      expect(next).not.toBe(path)
      expect(seen).not.toContain(join(cache.directory, next))
      seen.add(join(cache.directory, next))
    }
  })
})

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
