import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { FixtureProcess } from '../helpers/child-process.js'
import { PATIENCE_MILLISECONDS } from '../helpers/patience.js'
import { python } from '../helpers/peers.js'
import { cliHere } from './support/command-line.js'

const BINARY = fileURLToPath(new URL('../../bin/fanout-cache.cjs', import.meta.url))
const TERMINAL = fileURLToPath(new URL('./fixtures/pseudo-terminal.py', import.meta.url))
const WRITER = new URL('./fixtures/steady-writer.mjs', import.meta.url)

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The binary, while it runs. One that still runs when the test has finished is killed. */
export class Command {
  stdout = ''
  stderr = ''
  readonly ended: Promise<Ended>
  readonly #child: ChildProcessWithoutNullStreams
  #over = false

  constructor(program: string, args: readonly string[]) {
    const child = spawn(program, args, { env: { ...process.env, NO_COLOR: '1', TERM: 'xterm' } })
    this.#child = child
    child.stdout.on('data', chunk => {
      this.stdout += String(chunk)
    })
    child.stderr.on('data', chunk => {
      this.stderr += String(chunk)
    })
    // Who has ended no longer reads.
    child.stdin.on('error', () => {})
    this.ended = once(child, 'close').then(([code]) => {
      this.#over = true
      return { code: code as number | null, stdout: this.stdout, stderr: this.stderr }
    })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  type(text: string): void {
    this.#child.stdin.write(text)
  }

  closeInput(): void {
    this.#child.stdin.end()
  }

  /** Resolves when it has written what matches. */
  async wrote(pattern: RegExp): Promise<void> {
    const deadline = Date.now() + PATIENCE_MILLISECONDS
    while (!pattern.test(this.stdout)) {
      if (this.#over || Date.now() > deadline)
        throw new Error(`nothing like ${pattern} in: ${this.stdout}${this.stderr}`)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}

/** Starts the binary with pipes. */
export function start(...args: readonly string[]): Command {
  const command = new Command(process.execPath, [BINARY, ...args])
  command.closeInput()
  return command
}

/** Runs the binary with pipes to its end. */
export function run(...args: readonly string[]): Promise<Ended> {
  return start(...args).ended
}

/** Runs the built command line in this process, which is faster. */
export function runHere(...args: readonly string[]): Promise<Ended> {
  return cliHere(args)
}

/** Starts the binary in a pseudo-terminal; what it writes to either output is in `stdout`. Needs Python. */
export function startInTerminal(...args: readonly string[]): Command {
  return new Command(python, [TERMINAL, process.execPath, BINARY, ...args])
}

/** The lines of JSON that a command has printed. */
export function documents<T>({ stdout }: Ended): T[] {
  return stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as T)
}

/** Two processes that write until the promise of `stop` is awaited. */
export async function twoWriters(directory: string, kind: 'Cache' | 'FanoutCache'): Promise<{ stop(): Promise<void> }> {
  const writers = ['a', 'b'].map(name => new FixtureProcess(WRITER, { directory, kind, name }))
  await Promise.all(writers.map(writer => writer.line('writing')))
  return {
    async stop() {
      for (const writer of writers) writer.send('stop')
      await Promise.all(writers.map(writer => writer.done()))
    },
  }
}

/** Every path below a directory with its length, mode and time of change: equal when nothing was written. */
export function treeOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map(name => {
      const { size, mode, mtimeMs } = lstatSync(join(directory, name))
      // Opening a database may touch the directory that it lies in.
      return lstatSync(join(directory, name)).isDirectory() ? `${name} ${mode}` : `${name} ${size} ${mode} ${mtimeMs}`
    })
    .sort()
}
