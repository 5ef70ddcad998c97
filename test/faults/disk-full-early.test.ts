import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cacheOf, KINDS } from './support/caches.js'
import { fillUp, mountTmpfs, tmpfsAvailable } from './support/tmpfs.js'

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
