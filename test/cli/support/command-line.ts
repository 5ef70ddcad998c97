import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { run } from '../../../dist/cli.mjs'

export const BIN: string = fileURLToPath(new URL('../../../bin/fanout-cache.cjs', import.meta.url))

/** How a command line ended. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export const done = (stdout: string): Ended => ({ code: 0, stdout, stderr: '' })
export const no = (stderr: string): Ended => ({ code: 1, stdout: '', stderr: `fanout-cache: ${stderr}\n` })

/** What a command has printed with `--json`. */
export function json(ended: Ended): unknown {
  expect(ended).toMatchObject({ code: 0, stderr: '' })
  return JSON.parse(ended.stdout)
}

export interface Surroundings {
  readonly input?: string | Uint8Array
  readonly env?: NodeJS.ProcessEnv
}

/** Runs the built program as a process of its own. */
export async function cli(args: readonly string[], surroundings: Surroundings = {}): Promise<Ended> {
  const { bytes, ...ended } = await cliBytes(args, surroundings)
  return { ...ended, stdout: bytes.toString() }
}

/** The same, where what it prints is no text. */
export async function cliBytes(
  args: readonly string[],
  { input = '', env = {} }: Surroundings = {},
): Promise<{ readonly code: number | null; readonly bytes: Buffer; readonly stderr: string }> {
  const child = spawn(process.execPath, [BIN, ...args], { env: { ...process.env, ...env } })
  // A program that reads nothing may be gone before it is written to.
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [[code], bytes, stderr] = await Promise.all([once(child, 'close'), buffer(child.stdout), text(child.stderr)])
  return { code: code as number | null, bytes, stderr }
}

/** Runs the built command line in this process: faster, where many short ones are asked for. */
export async function cliHere(args: readonly string[], { input = '', env = {} }: Surroundings = {}): Promise<Ended> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()]
  const printed = Promise.all([text(stdout), text(stderr)])
  const stdin = Readable.from([Buffer.from(input)], { objectMode: false })
  const code = await run([...args], { stdin, stdout, stderr, env }, new AbortController().signal)
  stdout.end()
  stderr.end()
  const [out, err] = await printed
  return { code, stdout: out, stderr: err }
}

/** Runs it in this process at a terminal, where its question is answered. What is shown there is `stderr`. */
export async function cliAsked(args: readonly string[], answer: string): Promise<Ended> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const printed = Promise.all([text(stdout), text(stderr)])
  stderr.on('data', chunk => {
    if (String(chunk).includes('[y/N]')) stdin.write(`${answer}\n`)
  })
  const io = { stdin: Object.assign(stdin, { isTTY: true }), stdout, stderr: Object.assign(stderr, { isTTY: true }) }
  const code = await run([...args], { ...io, env: { TERM: 'dumb' } }, new AbortController().signal)
  stdout.end()
  stderr.end()
  const [out, err] = await printed
  return { code, stdout: out, stderr: err }
}
