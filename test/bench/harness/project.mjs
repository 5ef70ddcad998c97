import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/**
 * The package under test, as it is built. The package.json of this directory hides its name from here, so its export
 * is looked up in the manifest.
 */
const root = new URL('../../../', import.meta.url)
export const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
const requireFromRoot = createRequire(new URL('package.json', root))

/** The same better-sqlite3 that the package loads, not the one which a peer brings. */
export const Database = requireFromRoot('better-sqlite3')
export const driverVersion = requireFromRoot('better-sqlite3/package.json').version

export function packageUrl() {
  return new URL(findFile(manifest.exports['.'], ['node', 'import', 'default']), root)
}

export function loadPackage() {
  return load(packageUrl())
}

/** What `fanout-cache/<name>` exports. */
export function loadDoor(name) {
  return load(new URL(findFile(manifest.exports[`./${name}`], ['node', 'import', 'default']), root))
}

async function load(url) {
  if (!existsSync(url)) throw new Error('the package is not built: npm run build')
  return import(url.href)
}

function findFile(entry, conditions) {
  if (typeof entry === 'string') return entry
  const condition = Object.keys(entry).find(name => conditions.includes(name))
  if (condition === undefined) throw new Error('package.json exports nothing to import')
  return findFile(entry[condition], conditions)
}
