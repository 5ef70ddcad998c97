import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const LARGEST = 2 ** 20

/** The READMEs of the packages that this one depends on. A page is a path below the root. */
export function firstPages() {
  const { dependencies, devDependencies } = manifestOf('.')
  return readmesOf({ ...devDependencies, ...dependencies })
}

/** What a page says, and where it leads: to Markdown files by relative links, and to the READMEs of dependencies. */
export function readPage(page) {
  const text = readFileSync(join(ROOT, page), 'utf8')
  const [title = page] = /^#\s+(.+)$/m.exec(text)?.slice(1) ?? []
  const links = [...text.matchAll(/\]\((\.{0,2}[\w./-]+\.md)(?:#[^)]*)?\)/gi)]
    .map(([, target]) => posix.join(posix.dirname(page), target))
    .filter(target => target.startsWith('node_modules/') && isPage(target))
  const beside =
    posix.basename(page).toLowerCase() === 'readme.md' ? readmesOf(manifestOf(dirname(page)).dependencies) : []
  return { title: title.trim(), words: text.match(/\p{L}+/gu)?.length ?? 0, links: [...new Set([...links, ...beside])] }
}

function readmesOf(dependencies = {}) {
  return Object.keys(dependencies).flatMap(name => {
    try {
      const directory = join(ROOT, 'node_modules', name)
      const readme = readdirSync(directory).find(file => file.toLowerCase() === 'readme.md')
      return readme && isPage(`node_modules/${name}/${readme}`) ? [`node_modules/${name}/${readme}`] : []
    } catch {
      // Not installed for this system, or below another package.
      return []
    }
  })
}

function manifestOf(directory) {
  try {
    return JSON.parse(readFileSync(join(ROOT, directory, 'package.json'), 'utf8'))
  } catch {
    return {}
  }
}

function isPage(path) {
  try {
    const stat = statSync(join(ROOT, path))
    return stat.isFile() && stat.size < LARGEST
  } catch {
    return false
  }
}
