import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import { root, run } from '../helpers/packed-package.js'
import { temporaryDirectory } from '../helpers/temp-directory.js'

const [major = 0] = process.versions.node.split('.').map(Number)
const FLAG = major >= 24 ? '--permission' : '--experimental-permission'

/** What a cache says on a Node that may read everything, and else what is allowed. */
async function saying(call: string, ...allowed: string[]): Promise<unknown> {
  const directory = join(temporaryDirectory(), 'cache')
  mkdirSync(directory)
  const script = `
    const { Cache } = await import(${JSON.stringify(pathToFileURL(join(root, 'dist/index.mjs')).href)})
    const cache = new Cache(${JSON.stringify(directory)})
    const answer = await cache.${call}.catch(error => [error.name, error.message])
    console.log(JSON.stringify(answer))
    await cache.close()`
  const flags = allowed.map(flag => flag.replace('CACHE', directory))
  const args = [FLAG, '--no-warnings', '--allow-fs-read=*', ...flags, '--input-type=module', '--eval', script]
  return JSON.parse(await run(process.execPath, args, root))
}

it('works under the permission model with the rights of its directory', async () => {
  const rights = ['--allow-addons', '--allow-worker', '--allow-fs-write=CACHE/*']
  expect(await saying(`set('key', 'x'.repeat(100_000))`, ...rights)).toBe(true)
  expect(await saying('check()', ...rights)).toEqual([])
})

it.each([
  ['native code', `set('key', 1)`, ['--allow-fs-write=CACHE/*'], 'DriverError', /--allow-addons/],
  ['its directory', `set('key', 1)`, ['--allow-addons'], 'DirectoryError', /--allow-fs-write/],
  ['threads', 'check()', ['--allow-addons', '--allow-fs-write=CACHE/*'], 'StorageError', /--allow-worker/],
] as const)('says which right it needs for %s', async (_what, call, allowed, name, flag) => {
  expect(await saying(call, ...allowed)).toEqual([name, expect.stringMatching(flag)])
})
