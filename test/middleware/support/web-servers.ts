import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Acceleration } from 'fanout-cache/express'
import { onTestFinished } from 'vitest'
import { APACHE_MODULES, type Peer } from '../../helpers/peers.js'
import { freePort, listening } from './http.js'
import { isRoot, openDirectory } from './nginx.js'

const PAGE = new URL('../../../docs/send-file.md', import.meta.url)
/** Other people than the owner of the files, as the server would be. */
const STRANGER = 'www-data'

/** A web server in front of an app, set up as docs/send-file.md says. */
export interface WebServer {
  readonly peer: Peer
  readonly accel: Acceleration
  /** The arguments of the program, which is told to stay in the foreground; `work` is a directory of its own. */
  command(work: string, port: number, documented: string): readonly string[]
}

export const SERVERS = {
  apache: {
    peer: 'apache',
    accel: { type: 'sendfile' },
    command(work, port, documented) {
      const modules = ['mpm_event', 'authz_core', 'env', 'proxy', 'proxy_http', 'headers', 'rewrite', 'xsendfile']
      const text = [
        ...[`ServerRoot ${work}`, `PidFile ${work}/pid`, `ErrorLog ${work}/error.log`, `Mutex file:${work} default`],
        ...[
          `Listen 127.0.0.1:${port}`,
          'ServerName localhost',
          'StartServers 1',
          'ServerLimit 2',
          'ThreadsPerChild 32',
        ],
        ...(isRoot ? [`User ${STRANGER}`, `Group ${STRANGER}`] : []),
        ...modules.map(name => `LoadModule ${name}_module ${APACHE_MODULES}/mod_${name}.so`),
        ...['<Directory />', 'Require all denied', '</Directory>'],
        documented,
      ]
      writeFileSync(join(work, 'apache.conf'), text.join('\n'))
      return ['apache2', '-DFOREGROUND', '-f', join(work, 'apache.conf')]
    },
  },
  caddy: {
    peer: 'caddy',
    accel: { type: 'nginx', prefix: '/_cache/' },
    command(work, port, documented) {
      const global = `{\nadmin off\nauto_https off\nstorage file_system ${work}\n}`
      writeFileSync(join(work, 'Caddyfile'), `${global}\n:${port} {\nbind 127.0.0.1\n${documented}\n}\n`)
      const program = ['caddy', 'run', '--config', join(work, 'Caddyfile')]
      const other = ['setpriv', `--reuid=${STRANGER}`, `--regid=${STRANGER}`, '--clear-groups']
      return isRoot ? [...other, ...program] : program
    },
  },
  lighttpd: {
    peer: 'lighttpd',
    accel: { type: 'sendfile' },
    command(work, port, documented) {
      const text = [
        `server.port = ${port}`,
        'server.bind = "127.0.0.1"',
        `server.document-root = "${work}"`,
        ...(isRoot ? [`server.username = "${STRANGER}"`, `server.groupname = "${STRANGER}"`] : []),
        documented,
      ]
      writeFileSync(join(work, 'lighttpd.conf'), `${text.join('\n')}\n`)
      return ['lighttpd', '-D', '-f', join(work, 'lighttpd.conf')]
    },
  },
} as const satisfies Record<string, WebServer>

/** Starts a server in front of an app, until the test has finished, and answers its port. */
export async function startServer(name: keyof typeof SERVERS, appPort: number, directory: string): Promise<number> {
  const work = openDirectory()
  const home = join(work, 'home')
  mkdirSync(home)
  if (isRoot) chmodSync(home, 0o777)
  const port = await freePort()
  const [program = '', ...args] = SERVERS[name].command(work, port, documented(name, appPort, directory))
  const places = { HOME: home, XDG_CONFIG_HOME: home, XDG_DATA_HOME: home }
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...places } })
  let said = ''
  const hear = (chunk: Buffer): void => {
    said += String(chunk)
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await ended
  })
  await listening(port, () => child.exitCode !== null && `${name} has ended: ${said}`)
  return port
}

/** The configuration as it is printed, for another app and directory. */
function documented(name: string, appPort: number, directory: string): string {
  const [, block] = new RegExp(`^\`\`\`${name}\n(.*?)^\`\`\`$`, 'ms').exec(readFileSync(PAGE, 'utf8')) ?? []
  if (block === undefined) throw new Error(`docs/send-file.md has no configuration of ${name}`)
  const changes: [RegExp, string][] = [
    [/\/var\/cache\/media/g, directory],
    [/127\.0\.0\.1:3000|(?<="port" => )3000/g, name === 'lighttpd' ? String(appPort) : `127.0.0.1:${appPort}`],
  ]
  return changes.reduce((text, [from, to]) => {
    if (text.search(from) < 0) throw new Error(`the configuration of ${name} has no ${from}`)
    return text.replace(from, to)
  }, block)
}
