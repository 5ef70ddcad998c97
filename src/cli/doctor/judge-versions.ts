import { advice, type Judge, ok, trouble } from './advice.js'

/** The least version in package.json. */
const LEAST_NODE = [20, 19, 0]
const DRIVERS: readonly (readonly [major: number, least: readonly number[]])[] = [
  [12, [12, 11, 1]],
  [13, [13, 2, 0]],
]
/** The least major version of Node for better-sqlite3 13, which ends older ones when a database is opened. */
const NODE_OF_13 = 22

export const judgeVersions: Judge = ({ versions }) => {
  const { node, driver, sqlite } = versions
  const what = `fanout-cache ${versions.package}, Node ${node}, better-sqlite3 ${driver ?? 'of unknown version'}, SQLite ${sqlite}`
  const parts = partsOf(node)
  if (isBefore(parts, LEAST_NODE))
    return [trouble('versions', `${what}: this Node is too old`, 'install Node 22 or 24')]
  if (driver !== undefined) {
    const own = partsOf(driver)
    const known = DRIVERS.find(([major]) => major === own[0])
    if (!known || isBefore(own, known[1])) {
      return [
        trouble(
          'versions',
          `${what}: this better-sqlite3 is not supported`,
          'npm install better-sqlite3@^12.11.1, or ^13.2.0 from Node 22 on',
        ),
      ]
    }
    if (own[0] === 13 && (parts[0] ?? 0) < NODE_OF_13) {
      return [
        trouble(
          'versions',
          `${what}: better-sqlite3 13 needs Node 22`,
          'npm install better-sqlite3@^12.11.1, or a newer Node',
        ),
      ]
    }
  }
  // Odd versions are supported for half a year.
  if ((parts[0] ?? 0) % 2 === 1)
    return [advice('versions', `${what}: this Node gets no long support`, 'install an even version')]
  return [ok('versions', what)]
}

function partsOf(version: string): number[] {
  return version.split('.').map(part => Number.parseInt(part, 10))
}

function isBefore(version: readonly number[], least: readonly number[]): boolean {
  for (const [at, part] of least.entries()) {
    const own = version[at] ?? 0
    if (own !== part) return own < part
  }
  return false
}
