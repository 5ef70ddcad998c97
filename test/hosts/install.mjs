// Installs what the apps in these folders need, from their locks: npm run hosts:install. The package itself and what it
// depends on come from this repository when a test runs them, see test/helpers/host.ts.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folders = readdirSync(new URL('.', import.meta.url), { withFileTypes: true })
  .filter(entry => entry.isDirectory() && existsSync(new URL(`${entry.name}/package-lock.json`, import.meta.url)))
  .map(entry => entry.name)

const failed = await Promise.all(folders.map(async name => ((await install(name)) === 0 ? [] : [name])))
if (failed.flat().length > 0) {
  console.error(`not installed: ${failed.flat().join(', ')}`)
  process.exitCode = 1
}

/** Answers its exit code. They wait for the registry for most of the time: all at once. */
async function install(name) {
  console.log(`installing ${name}`)
  const cwd = fileURLToPath(new URL(`${name}/`, import.meta.url))
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  const child = spawn('npm', args, { cwd, stdio: 'inherit', shell: process.platform === 'win32' })
  const [code] = await once(child, 'exit')
  return code
}
