import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Programs and places which some tests need and which not every machine has. */
export type Peer =
  | 'python'
  | 'nginx'
  | 'apache'
  | 'caddy'
  | 'lighttpd'
  | 'redis'
  | 'tmpfs'
  | 'prlimit'
  | 'chromium'
  | 'zsh'
  | 'cc'

/** The Python in which diskcache can be imported. */
export const python: string = process.env['FANOUT_CACHE_PYTHON'] ?? '/usr/bin/python3'

/** Debian's Chromium, or another one. */
export const chromium: string = process.env['FANOUT_CACHE_CHROMIUM'] ?? '/usr/bin/chromium'

/** Where Debian has them. */
export const APACHE_MODULES = '/usr/lib/apache2/modules'

const LOOKUPS: Readonly<Record<Peer, () => boolean>> = {
  python: () => runs(python, ['-c', 'import diskcache']),
  nginx: () => runs('nginx', ['-v']),
  apache: () => runs('apache2', ['-v']) && existsSync(`${APACHE_MODULES}/mod_xsendfile.so`),
  caddy: () => runs('caddy', ['version']),
  lighttpd: () => runs('lighttpd', ['-v']),
  redis: () => runs('redis-server', ['--version']),
  chromium: () => runs(chromium, ['--version']),
  zsh: () => runs('zsh', ['--version']),
  // What it makes is preloaded, as Linux does it.
  cc: () => process.platform === 'linux' && runs('cc', ['--version']),
  // Of util-linux: changes the limits of a process that runs.
  prlimit: () => runs('prlimit', ['--version']),
  // Mounting one takes root.
  tmpfs: () => process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/proc/mounts'),
}

const known = new Map<Peer, boolean>()

/**
 * Whether a peer is there. Its absence is said on the console, and is a failure where REQUIRE_ALL=1 asks that nothing
 * be skipped.
 */
export function peer(name: Peer): boolean {
  const answer = known.get(name)
  if (answer !== undefined) return answer
  const present = LOOKUPS[name]()
  known.set(name, present)
  if (!present) {
    if (process.env['REQUIRE_ALL'] === '1') throw new Error(`${name} is required by REQUIRE_ALL=1 and is not there`)
    console.log(`skipped: tests that need ${name}, which is not there`)
  }
  return present
}

function runs(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
