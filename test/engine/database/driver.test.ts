import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../../helpers/temp-directory.js'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** What `get` and `open` of both classes say in an app that has this driver, in both builds, on a Node of this N-API. */
async function errorsWith(driver: { version: string; constructed: string }, napi = '10'): Promise<string[]> {
  const app = temporaryDirectory()
  const modules = join(app, 'node_modules')
  mkdirSync(join(modules, 'better-sqlite3'), { recursive: true })
  writeFileSync(join(modules, 'better-sqlite3', 'package.json'), JSON.stringify({ version: driver.version }))
  writeFileSync(
    join(modules, 'better-sqlite3', 'index.js'),
    `module.exports = class { constructor() { ${driver.constructed} } }`,
  )
  mkdirSync(join(modules, 'fanout-cache'))
  for (const name of ['package.json', 'dist']) symlinkSync(join(ROOT, name), join(modules, 'fanout-cache', name))
  for (const name of ['pako', '@standard-schema']) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  writeFileSync(
    join(app, 'app.cjs'),
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, napi: '${napi}' } })
     const tell = error => console.log(JSON.stringify([error.name, error.code, error.message]))
     const use = async ({ Cache, FanoutCache, DriverError, DiskCacheError }) => {
       for (const Kind of [Cache, FanoutCache]) {
         const cache = new Kind(__dirname + '/' + Kind.name)
         await cache.open().catch(tell)
         await cache.get('key').catch(error => {
           tell(error)
           if (!(error instanceof DriverError && error instanceof DiskCacheError)) throw error
         })
         await cache.close()
       }
     }
     use(require('fanout-cache')).then(async () => use(await import('fanout-cache')))`,
  )
  // With symlinks preserved the package finds the driver of the app, and not that of this project.
  const { stdout } = await promisify(execFile)(process.execPath, ['--preserve-symlinks', 'app.cjs'], { cwd: app })
  return stdout.trim().split('\n')
}

const REBUILD =
  'allow its install script ("allowScripts": { "better-sqlite3": true } in package.json) and run "npm rebuild better-sqlite3"'

it.each([
  [
    'has no native part',
    `throw new Error('Could not locate the bindings file. Tried: …')`,
    `is missing: ${REBUILD}; in a bundled app, leave better-sqlite3 out of the bundle and install it beside`,
  ],
  [
    'was built for another Node',
    `throw Object.assign(new Error('NODE_MODULE_VERSION'), { code: 'ERR_DLOPEN_FAILED' })`,
    `was built for another Node or system: ${REBUILD}`,
  ],
  [
    'was not built for Electron',
    `process.versions.electron = '40.0.0'
     throw Object.assign(new Error('NODE_MODULE_VERSION'), { code: 'ERR_DLOPEN_FAILED' })`,
    'was built for another Node or system: run "npx @electron/rebuild"',
  ],
])('a driver that %s is a DriverError with the cure', async (_title, constructed, cure) => {
  const told = JSON.stringify(['DriverError', 'ERR_CACHE_DRIVER', `the native part of better-sqlite3 ${cure}`])
  expect(await errorsWith({ version: '12.11.1', constructed })).toEqual(Array(8).fill(told))
})

it('a driver that would crash this Node is refused before it is used', async () => {
  const errors = await errorsWith({ version: '13.2.0', constructed: 'process.abort()' }, '9')
  expect(errors).toHaveLength(8)
  for (const error of errors) {
    expect(JSON.parse(error)).toEqual([
      'DriverError',
      'ERR_CACHE_DRIVER',
      expect.stringMatching(
        /^better-sqlite3 13\.2\.0 needs Node 22 .*install better-sqlite3@\^12\.11\.1, with yarn by "resolutions" and with pnpm by "overrides", or a newer Node$/,
      ),
    ])
  }
})
