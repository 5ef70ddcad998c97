import { startUpkeep } from 'fanout-cache'
import { expect, it } from 'vitest'
import { startPython } from '../helpers/python.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'
import { valueFiles } from '../helpers/value-files.js'
import { expectClean, openFanout, openInPython, withPython } from './support.js'

withPython('upkeep beside Python', () => {
  it('removes what Python stored and has expired, and Python finds all in order', async () => {
    const directory = temporaryDirectory()
    const python = startPython()
    await openInPython(python, directory, 'FanoutCache(directory, shards=8, timeout=60, cull_limit=0)')
    const cache = openFanout(directory)
    const upkeep = startUpkeep(cache, { every: '1h', lease: '1h' })
    expect(await upkeep.run()).toMatchObject({ expired: 0 })
    await python.call(`for key in range(80):
    cache.set(key, b'x' * (40000 if key % 8 == 0 else 10), expire=0.001 if key % 2 == 0 else None)
cache['lasting'] = b'y' * 40000
import time
time.sleep(0.1)`)
    expect(await upkeep.run()).toMatchObject({ expired: 40, evicted: 0 })
    expect(await python.call('len(cache)')).toBe(41)
    await expect.poll(() => valueFiles(directory).length).toBe(1)
    expect(await python.call('cache["lasting"] == b"y" * 40000 and cache[1] == b"x" * 10')).toBe(true)
    await expectClean(cache, python)
  })
})
