// Installs what the apps in these folders need, from their locks: npm run hosts:install. The package itself and what it
// depends on come from this repository when a test runs them, see test/helpers/host.ts.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folders = readdirSync(new URL('.', import.meta.url), { withFileTypes: true })
  .filter(entry => entry.isDirectory() && existsSync(new URL(`${entry.name}/package-lock.json`, import.meta.url)))
  .map(entry => entry.name)

for (const name of folders) {
  console.log(`installing ${name}`)
  const cwd = fileURLToPath(new URL(`${name}/`, import.meta.url))
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  const { status } = spawnSync('npm', args, { cwd, stdio: 'inherit', shell: process.platform === 'win32' })
  if (status !== 0) process.exit(status ?? 1)
}
