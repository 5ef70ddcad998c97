import { createInterface } from 'node:readline'
import { type Cache, type FanoutCache, TimeoutError } from '../engine/index.js'
import type { Command, Io } from './command.js'
import { DEFAULT_TIMEOUT } from './common-options.js'
import { UsageError } from './exit-codes.js'
import { openCache } from './open-cache.js'
import type { Options } from './options.js'
import { Output, printable } from './output.js'

/** The waiting options that a command passes to its verbs. */
export interface Patience {
  /** Milliseconds. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/** The context in which a command runs: one run of it. */
export class Context {
  /** The directory as given. Empty when the command has none. */
  readonly directory: string
  /** The arguments after the directory. */
  readonly operands: readonly string[]
  readonly options: Options
  readonly io: Io
  readonly out: Output
  /** Aborted by Ctrl-C, SIGTERM and a closed output; the command rejects with its reason. */
  readonly signal: AbortSignal
  readonly patience: Patience
  /** Whether to change nothing, and only say what would change. */
  readonly dryRun: boolean
  readonly #opened: (Cache | FanoutCache)[] = []
  #refusal: Error | undefined
  #unread: Error | undefined

  constructor(command: Command, operands: readonly string[], options: Options, io: Io, signal: AbortSignal) {
    const hasPlace = command.place !== null
    this.directory = hasPlace ? (operands[0] ?? '') : ''
    this.operands = hasPlace ? operands.slice(1) : operands
    this.options = options
    this.io = io
    this.signal = signal
    this.out = new Output(io, signal, { json: options.flag('json'), colour: options.parsed('color') !== false })
    this.patience = { timeout: options.number('timeout') ?? DEFAULT_TIMEOUT, signal }
    this.dryRun = options.flag('dryRun')
  }

  /**
   * Opens the cache of the directory, a Cache or a FanoutCache. It is closed when the command has ended. `'read'`
   * opens it readonly.
   *
   * @throws CliError when there is no cache and `create` is not given
   */
  async open(
    access: 'read' | 'write',
    options: { readonly create?: 'Cache' | 'FanoutCache' } = {},
  ): Promise<Cache | FanoutCache> {
    const cache = await openCache(this.directory, {
      access,
      timeout: this.patience.timeout,
      codec: this.options.text('codec'),
      signal: this.signal,
      create: options.create,
      note: text => this.note(text),
    })
    this.#opened.push(cache)
    cache.on('refused', ({ error }) => {
      this.#refusal = error
    })
    // The event is the only sign of a read that gave up.
    cache.on('timeout', ({ directory }) => {
      this.#unread = new TimeoutError(directory)
      this.#refusal = this.#unread
    })
    // Background errors, such as a failing sweep, become notes.
    cache.on('error', error => this.note(error.message))
    return cache
  }

  /**
   * Awaits a verb of the open cache. Throws the error where a FanoutCache would return `false` or `undefined`, and a
   * UsageError for wrong arguments.
   */
  async answer<T>(verb: Promise<T>): Promise<T> {
    this.#refusal = undefined
    let value: T
    try {
      value = await verb
    } catch (error) {
      this.signal.throwIfAborted()
      // TypeErrors and RangeErrors of the engine concern its arguments, which came from the command line.
      if (error instanceof TypeError || error instanceof RangeError)
        throw new UsageError(error.message, { cause: error })
      throw error
    }
    if (this.#refusal) throw this.#refusal
    return value
  }

  /** Passes on the items of a listing. Ends with an error if the listing left out a locked shard. */
  async *listed<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
    this.#unread = undefined
    yield* items
    if (this.#unread) throw this.#unread
  }

  /**
   * Asks on the terminal; true at once with `--yes`.
   *
   * @param ask is called only where somebody is asked: it may count what would go
   * @throws UsageError where nobody can be asked
   */
  async confirm(ask: () => string | Promise<string>): Promise<boolean> {
    this.assertAskable()
    if (this.options.flag('yes')) return true
    const question = await ask()
    this.signal.throwIfAborted()
    const { stdin, stderr } = this.io
    const lines = createInterface({ input: stdin, output: stderr })
    let answered = false
    try {
      const text = await new Promise<string>((resolve, reject) => {
        // The end of the input means no.
        lines.once('close', () => resolve(''))
        this.signal.addEventListener('abort', () => reject(this.signal.reason), { once: true })
        // In raw mode Ctrl-C arrives as a key.
        lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'))
        lines.question(`${printable(question)} [y/N] `, line => {
          answered = true
          resolve(line)
        })
      })
      return /^y(es)?$/i.test(text.trim())
    } finally {
      lines.close()
      // Nobody has pressed Enter: what follows would stand behind the question.
      if (!answered) stderr.write('\n')
    }
  }

  /** Throws where `confirm` would have nobody to ask: before work that is done for the question. @throws UsageError */
  assertAskable(): void {
    const { stdin, stderr } = this.io
    if (this.options.flag('yes') || (stdin.isTTY === true && stderr.isTTY === true)) return
    throw new UsageError('this needs --yes where nobody can be asked; --dry-run tells what it would do')
  }

  /** Writes a remark to stderr. */
  note(text: string): void {
    this.io.stderr.write(`fanout-cache: ${printable(text)}\n`)
  }

  /** Closes what the command has opened. */
  async close(): Promise<void> {
    for (const cache of this.#opened.splice(0)) await cache.close()
  }
}
