import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from '../../helpers/temp-directory.js'
import { freePort, listening } from './http.js'

const EXAMPLE = new URL('../../../examples/media/nginx.conf', import.meta.url)

/** Whether workers of nginx can be another user than we are. */
export const isRoot: boolean = process.getuid?.() === 0

/** The program; it is not in the PATH of everybody. */
export const nginx = 'nginx'

export interface Nginx {
  readonly port: number
  /** One line for each request: the status, and `accel` when nginx has sent the file. */
  log(): string[]
}

/** A directory that other users may enter. */
export function openDirectory(): string {
  const directory = temporaryDirectory()
  chmodSync(directory, 0o755)
  return directory
}

/** The configuration of the example, for other ports and places. */
export function exampleConfiguration(work: string, port: number, appPort: number, directory: string): string {
  const changes: [string, string][] = [
    ['127.0.0.1:8080', `127.0.0.1:${port}`],
    ['127.0.0.1:3000', `127.0.0.1:${appPort}`],
    ['/var/cache/media', directory],
    ['/var/log/nginx/media-error.log', join(work, 'error.log')],
    [
      'access_log off;',
      `log_format sent "$status $upstream_http_x_accel_redirect";\n  access_log ${work}/access.log sent;`,
    ],
  ]
  let text = readFileSync(EXAMPLE, 'utf8')
  for (const [from, to] of changes) {
    if (!text.includes(from)) throw new Error(`the example has no ${from}`)
    text = text.replaceAll(from, to)
  }
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${work}/${name};`)
  text = text.replace('http {', `http {\n  ${places.join('\n  ')}`)
  return `${isRoot ? 'user www-data;\n' : ''}pid ${work}/nginx.pid;\n${text}`
}

/** nginx with the configuration of the example in front of an app, until the test has finished. */
export async function startNginx(appPort: number, directory: string): Promise<Nginx> {
  const work = openDirectory()
  const port = await freePort()
  const configuration = join(work, 'nginx.conf')
  mkdirSync(join(work, 'proxy'))
  if (isRoot) chmodSync(join(work, 'proxy'), 0o777)
  writeFileSync(configuration, exampleConfiguration(work, port, appPort, directory))
  appendFileSync(join(work, 'access.log'), '')
  if (isRoot) chmodSync(join(work, 'access.log'), 0o666)
  const child = spawn(nginx, ['-p', work, '-c', configuration, '-g', 'daemon off;'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr.on('data', chunk => {
    said += String(chunk)
  })
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await ended
  })
  await listening(port, () => child.exitCode !== null && `nginx has ended: ${said}`)
  const log = (): string[] =>
    readFileSync(join(work, 'access.log'), 'utf8')
      .trim()
      .split('\n')
      .map(line => line.replace(/ \/_cache\/.*/, ' accel').replace(/ -$/, ''))
  return { port, log }
}
