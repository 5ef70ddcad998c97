import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DiskFullError } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { cacheOf, KINDS } from './support/caches.js'
import { fillUp, mountTmpfs, tmpfsAvailable } from './support/tmpfs.js'

it.skipIf(!tmpfsAvailable).each(KINDS)('a %s is told of a full disk that has no room for its directory', async kind => {
  // The directory of the file system takes one of them itself.
  const root = mountTmpfs('size=16m,nr_inodes=2')
  writeFileSync(join(root, 'other'), '')
  await expect(cacheOf(kind, join(root, 'cache')).open()).rejects.toThrow(DiskFullError)
})

describe.skipIf(!tmpfsAvailable).each(KINDS)('a %s on a disk that others fill as soon as it is in use', kind => {
  it('removes what it has', async () => {
    const root = mountTmpfs('size=16m')
    const cache = cacheOf(kind, join(root, 'cache'), { evictionPolicy: 'none' })
    const keys = Array.from({ length: 30 }, (_, key) => key)
    for (const key of keys) expect(await cache.set(key, 'e'.repeat(2000), { retry: true, file: true })).toBe(true)
    fillUp(root)
    for (const key of keys) expect(await cache.delete(key, { retry: true })).toBe(true)
    expect(await cache.count()).toBe(0)
  })
})
