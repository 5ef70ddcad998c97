import { constants } from 'node:buffer'
import { execFile } from 'node:child_process'
import { truncateSync } from 'node:fs'
import { freemem } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Cache } from 'fanout-cache'
import { describe, expect, it } from 'vitest'
import { rawDatabase } from '../../helpers/raw-database.js'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

/** One byte more than Node reads in one call. */
const SIZE = 2 ** 31

// In a process of its own, since Node ends the process that reads more in one call.
describe.runIf(freemem() > 6 * 2 ** 30)('a value of 2 GiB', () => {
  it('is read whole by get(), read(), pop() and a transaction', async () => {
    const directory = await cacheOfHole(SIZE)
    const program = `
      import { Cache } from 'fanout-cache'
      const cache = new Cache(${JSON.stringify(directory)}, { sizeLimit: ${4 * SIZE} })
      console.log((await cache.get('film')).length)
      console.log(await cache.transact(tx => tx.get('film').length))
      console.log((await (await cache.read('film')).bytes()).length)
      console.log((await cache.pop('film')).length)
      await cache.close()`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
    expect(stdout.split('\n')).toEqual([...Array.from({ length: 4 }, () => String(SIZE)), ''])
  })
})

describe.runIf(constants.MAX_LENGTH < 2 ** 40)('a value longer than Buffers can be', () => {
  it('is a typed error for get() and transactions, and a stream for read()', async () => {
    const size = constants.MAX_LENGTH + 1
    const cache = new Cache(await cacheOfHole(size), { sizeLimit: 2 * size })
    const error = { name: 'DecodeError', message: expect.stringContaining(`${size} bytes`) }
    await expect(cache.get('film')).rejects.toMatchObject(error)
    await expect(cache.transact(tx => tx.get('film'))).rejects.toMatchObject(error)
    const file = await cache.read('film')
    const end = await file?.stream({ start: size - 3 }).toArray()
    expect(Buffer.concat(end ?? [])).toEqual(Buffer.alloc(3))
    await cache.close()
  })
})

/** A directory with a value of zeros, whose file has a hole that takes no room. */
async function cacheOfHole(size: number): Promise<string> {
  const directory = temporaryDirectory()
  const cache = new Cache(directory)
  await cache.set('film', Buffer.alloc(100_000))
  const path = (await cache.info('film'))?.path ?? ''
  await cache.close()
  truncateSync(join(directory, path), size)
  const db = rawDatabase(directory)
  db.prepare('UPDATE Cache SET size = ?').run(BigInt(size))
  db.close()
  return directory
}
