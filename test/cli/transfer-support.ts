import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import Database from 'better-sqlite3'
import { onTestFinished } from 'vitest'
import { PATIENCE_MILLISECONDS } from '../helpers/patience.js'
import { python } from '../helpers/peers.js'

const BINARY = fileURLToPath(new URL('../../bin/fanout-cache.cjs', import.meta.url))
const IN_TERMINAL = 'import os,pty,sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])) % 256)'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** A run of the binary; it is killed when the test has finished. */
export class Running {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<Ended>
  over = false

  constructor(program: string, args: readonly string[]) {
    const child = spawn(program, args, { env: { ...process.env, NO_COLOR: '1', TERM: 'xterm' } })
    this.child = child
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', chunk => stdout.push(chunk))
    child.stderr.on('data', chunk => stderr.push(chunk))
    // Who has ended no longer reads.
    child.stdin.on('error', () => {})
    this.ended = once(child, 'close').then(([code, signal]) => {
      this.over = true
      return { code, signal, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }
    })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
  }
}

/** Starts the binary; its input stays open. */
export function start(...args: readonly string[]): Running {
  return new Running(process.execPath, [BINARY, ...args])
}

/** Runs the binary to its end. */
export function run(args: readonly string[], input = ''): Promise<Ended> {
  const running = start(...args)
  Readable.from([input]).pipe(running.child.stdin)
  return running.ended
}

/** The same in a pseudo-terminal: what it says on either output is in `stdout`. */
export function runInTerminal(...args: readonly string[]): Promise<Ended> {
  const running = new Running(python, ['-c', IN_TERMINAL, process.execPath, BINARY, ...args])
  return running.ended
}

/** The stream of a directory. */
export async function exported(directory: string, ...options: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(['export', directory, ...options])
  if (code !== 0) throw new Error(`export ended with ${code}: ${stderr}`)
  return stdout
}

/** Stores a stream in a directory that it makes. */
export async function importNew(directory: string, stream: string, ...options: readonly string[]): Promise<void> {
  const { code, stderr } = await run(['import', directory, '--create', ...options], stream)
  if (code !== 0) throw new Error(`import ended with ${code}: ${stderr}`)
}

/** Lines of a stream of entries, with its first and last one. */
export function streamOf(entries: readonly object[], header: object = {}): string {
  const first = { format: 'fanout-cache', version: 1, kind: 'Cache', ...header }
  return [first, ...entries, { end: {} }].map(line => `${JSON.stringify(line)}\n`).join('')
}

/** The lines for an entry whose value is a file. */
export function fileEntry(key: unknown, bytes: Uint8Array, more: object = {}): object[] {
  const half = Math.floor(bytes.byteLength / 6) * 3
  const chunks = [bytes.subarray(0, half), bytes.subarray(half)].map(part => ({
    chunk: Buffer.from(part).toString('base64'),
  }))
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return [{ key, file: { mode: 'binary', size: bytes.byteLength }, ...more }, ...chunks, { sha256 }]
}

const COLUMNS = 'key, typeof(key), raw, expire_time, tag, typeof(tag), mode, size, value, typeof(value), filename'

/** All rows of a cache as they lie on disk, with the bytes of their files and without their names. */
export function rowsOf(directory: string): string[] {
  const shards = existsSync(join(directory, 'cache.db'))
    ? ['']
    : readdirSync(directory).filter(name => /^\d{3}$/.test(name))
  return shards.flatMap(shard => shardRows(join(directory, shard))).sort()
}

function shardRows(directory: string): string[] {
  // Not readonly: then the log goes when it is closed, and its being there says that somebody else has opened it.
  const db = new Database(join(directory, 'cache.db'), { timeout: 60_000 })
  try {
    const rows = db.prepare(`SELECT ${COLUMNS} FROM Cache`).raw().safeIntegers().all() as unknown[][]
    return rows.map(row => {
      const filename = row.pop()
      const bytes = typeof filename === 'string' ? readFileSync(join(directory, filename)) : ''
      return JSON.stringify([...row, createHash('sha256').update(bytes).digest('hex')], (_name, part) =>
        typeof part === 'bigint' ? `${part}n` : Object.is(part, -0) ? '-0' : part,
      )
    })
  } finally {
    db.close()
  }
}

/** The names of all files below a directory, without SQLite's own and the reserve. */
export function filesOf(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter(name => !/-(wal|shm|journal|reserve)$/.test(name))
    .sort()
}

/** Resolves as soon as something holds. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MILLISECONDS
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`)
    await sleep(5)
  }
}
