import type { Cache, FanoutCache } from '../engine/index.js'
import type { Options } from './options.js'
import type { Output } from './output.js'

/** One option of a command, as data: parsing, help, completions and docs are made of it. */
export interface CommandOption {
  /** As commander writes it: `--prefix <text>`, `-l, --long`. */
  readonly flags: string
  readonly summary: string
  /** Reads the argument. @throws UsageError that says what was expected */
  readonly parse?: (text: string) => unknown
  readonly choices?: readonly string[]
  /** May be given more than once; its value is an array. */
  readonly repeats?: boolean
  /** What completions offer for the argument. */
  readonly completes?: 'file' | 'directory'
}

/** What a command is about; help lists them so. */
export type CommandGroup = 'Look:' | 'Change:' | 'Care:' | 'Carry:' | 'Shell:'

/** One command: data, and a function. */
export interface Command {
  readonly name: string
  /** One line, without a full stop. */
  readonly summary: string
  readonly group: CommandGroup
  /** What comes behind the directory, as commander writes it: `<key> [value]`. */
  readonly operands: string
  /** What stands in the place of the directory; `null`: nothing does. @default '<directory>' */
  readonly place?: string | null
  /** What the operands complete to. */
  readonly completes?: 'file' | 'settings' | readonly string[]
  readonly options: readonly CommandOption[]
  /** Lines that teach, without `fanout-cache` in front. */
  readonly examples: readonly (readonly [line: string, what: string])[]
  /** More to know, for the help of this command. */
  readonly details?: string
  /** Removes or replaces data: gets `--yes` and `--dry-run`. */
  readonly destroys?: boolean
  /** Answers the exit code; nothing means 0. */
  run(context: Context): Promise<number | void>
}

export interface InputStream extends NodeJS.ReadableStream {
  readonly isTTY?: boolean
  readonly fd?: number
  destroy?(error?: Error): unknown
}

export interface OutputStream extends NodeJS.WritableStream {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}

/** The streams and variables of the process, or of a test. */
export interface Io {
  readonly stdin: InputStream
  readonly stdout: OutputStream
  readonly stderr: OutputStream
  readonly env: Readonly<Record<string, string | undefined>>
}

/** How verbs of this run wait: to be spread into their options. */
export interface Patience {
  /** Milliseconds. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/** What a command is run with. */
export interface Context {
  /** As given; empty where a command has none. */
  readonly directory: string
  /** What stands behind the directory. */
  readonly operands: readonly string[]
  readonly options: Options
  readonly io: Io
  readonly out: Output
  /** Aborted by Ctrl-C, SIGTERM and a closed output; its reason is what the command is to reject with. */
  readonly signal: AbortSignal
  readonly patience: Patience
  /** Whether nothing shall be changed: only what would be is told. */
  readonly dryRun: boolean
  /**
   * The cache of the directory, whatever its kind; closed when the command has ended. `'read'` opens it readonly, so
   * that nothing at all is written.
   *
   * @throws CliError when there is none: nothing is made, unless `create` says so
   */
  open(access: 'read' | 'write', options?: { readonly create?: 'Cache' | 'FanoutCache' }): Promise<Cache | FanoutCache>
  /**
   * Awaits a verb of the open cache. What a FanoutCache would refuse with `false` or `undefined` is thrown as its
   * error, and misuse becomes an error of usage.
   */
  answer<T>(verb: Promise<T>): Promise<T>
  /** What a listing yields. One from which a locked shard was left out ends with an error. */
  listed<T>(items: AsyncIterable<T>): AsyncIterable<T>
  /** Asks on the terminal; true at once with `--yes`. @throws UsageError where nobody can be asked */
  confirm(question: string): Promise<boolean>
  /** A remark on stderr. */
  note(text: string): void
}
