import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { PATIENCE_MILLISECONDS } from './patience.js'
import { python as executable } from './peers.js'
import { fromWire, toWire, type Wire } from './wire.js'

const PROGRAM = fileURLToPath(new URL('./python-peer.py', import.meta.url))

type Answer = { readonly result: Wire } | { readonly error: string; readonly message: string }

/** An exception of Python; `type` is the name of its class. */
export class PythonError extends Error {
  override name = 'PythonError'
  readonly type: string

  constructor(type: string, message: string) {
    super(`${type}: ${message}`)
    this.type = type
  }
}

/**
 * A Python process that runs one snippet after the other and keeps what they name with `keep(name=value)`. It has
 * imported `diskcache` and its classes; `found(cache)`, `sql(directory, …)` and `stop_clock(seconds)` are there too.
 */
export class Python {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void }[] = []
  #said = ''

  constructor() {
    this.#child = spawn(executable, ['-u', PROGRAM], { env: { ...process.env, PYTHONIOENCODING: 'utf-8' } })
    createInterface(this.#child.stdout).on('line', line => this.#waiting.shift()?.resolve(JSON.parse(line) as Answer))
    this.#child.stderr.on('data', chunk => {
      this.#said += String(chunk)
    })
    this.#child.on('error', error => this.#fail(error))
    this.#child.on('close', code => this.#fail(new Error(`Python ended with ${code}: ${this.#said}`)))
    // A write to a process that has ended is told by its end.
    this.#child.stdin.on('error', () => {})
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Runs an expression, or the body of a function, with the arguments as names; answers its value. */
  async call<T = unknown>(body: string, args: Readonly<Record<string, unknown>> = {}): Promise<T> {
    return fromWire(await this.wire(body, args)) as T
  }

  /** The same, with all that JavaScript would not tell apart. */
  async wire(body: string, args: Readonly<Record<string, unknown>> = {}): Promise<Wire> {
    const named = Object.entries(args).map(([name, value]) => [name, toWire(value)] as const)
    const answer = await this.#ask({ body, arguments: Object.fromEntries(named) })
    if ('error' in answer) throw new PythonError(answer.error, answer.message)
    return answer.result
  }

  /** Lets the process end after what it was asked. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.stdin.end()
    await ended
  }

  #ask(request: unknown): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const alarm = setTimeout(() => {
        reject(new Error(`no answer from Python: ${JSON.stringify(request).slice(0, 300)}; it said: ${this.#said}`))
        this.#child.kill('SIGKILL')
      }, PATIENCE_MILLISECONDS)
      this.#waiting.push({
        resolve: answer => {
          clearTimeout(alarm)
          resolve(answer)
        },
        reject: error => {
          clearTimeout(alarm)
          reject(error)
        },
      })
      this.#child.stdin.write(`${JSON.stringify(request)}\n`)
    })
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}

/** A Python process of the running test; it ends with the test. */
export function startPython(): Python {
  const python = new Python()
  onTestFinished(() => python.close())
  return python
}

/** Runs one snippet in a process of its own. */
export async function runPython<T = unknown>(body: string, args: Readonly<Record<string, unknown>> = {}): Promise<T> {
  const python = new Python()
  try {
    return await python.call<T>(body, args)
  } finally {
    await python.close()
  }
}
