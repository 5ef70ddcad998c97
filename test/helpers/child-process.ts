import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { PATIENCE_MILLISECONDS } from './patience.js'

/** What is left of a process that has ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

/**
 * A worker script as a process of its own. It gets its arguments as one JSON text, is told things by lines on stdin and
 * tells things by lines on stdout. One that still runs when the test has finished is killed.
 */
export class FixtureProcess {
  /** The lines it has written so far. */
  readonly lines: string[] = []
  /** Fulfilled when it has ended and all it wrote was read. */
  readonly ended: Promise<Ending>
  readonly #child: ChildProcess
  readonly #waiting = new Set<() => void>()
  #stderr = ''
  #over = false

  /** @param program what runs the script, with its own arguments */
  constructor(
    script: URL,
    args: unknown = {},
    env: NodeJS.ProcessEnv = {},
    [program, ...options]: readonly string[] = [process.execPath],
  ) {
    this.#child = spawn(program ?? process.execPath, [...options, fileURLToPath(script), JSON.stringify(args)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    this.ended = this.#follow()
    onTestFinished(async () => {
      await this.kill()
    })
  }

  get pid(): number {
    return this.#child.pid ?? -1
  }

  /** The first line, from `from` on, that begins with `start`; rejects when the process ends without it. */
  async line(start: string, from = 0): Promise<string> {
    const deadline = Date.now() + PATIENCE_MILLISECONDS
    for (;;) {
      const found = this.lines.slice(from).find(line => line.startsWith(start))
      if (found !== undefined) return found
      if (this.#over) throw new Error(`the process ended without a line '${start}': ${this.#stderr || this.#tail()}`)
      if (Date.now() > deadline) throw new Error(`no line '${start}' in time: ${this.#stderr || this.#tail()}`)
      await this.#news()
    }
  }

  /** Sends a line to its stdin. */
  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  /** kill -9. */
  async kill(): Promise<Ending> {
    if (!this.#over) this.#child.kill('SIGKILL')
    return await this.ended
  }

  /** The lines of a process that has ended by itself and well. */
  async done(): Promise<readonly string[]> {
    const { code, signal, stderr } = await this.ended
    if (code !== 0) throw new Error(`the process ended with ${signal ?? code}: ${stderr}`)
    return this.lines
  }

  async #follow(): Promise<Ending> {
    const child = this.#child
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    // Who was killed no longer reads; that is no news.
    child.stdin?.on('error', () => {})
    if (child.stdout === null) throw new Error('stdout is no pipe')
    const reader = createInterface({ input: child.stdout })
    reader.on('line', line => {
      this.lines.push(line)
      this.#wake()
    })
    const [[code, signal]] = await Promise.all([once(child, 'close'), once(reader, 'close')])
    this.#over = true
    this.#wake()
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, stderr: this.#stderr }
  }

  /** Until a line comes, the process ends, or a second has passed. */
  async #news(): Promise<void> {
    await new Promise<void>(resolve => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, 1000)
      this.#waiting.add(wake)
    })
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  #tail(): string {
    return `its last lines: ${JSON.stringify(this.lines.slice(-5))}`
  }
}
