import type { Cache, FanoutCache } from '../engine/index.js'
import type { Options } from './options.js'
import type { Output } from './output.js'

/** One option of a command as data, from which parsing, help, completions and docs are generated. */
export interface CommandOption {
  /** In the syntax of commander: `--prefix <text>`, `-l, --long`. */
  readonly flags: string
  readonly summary: string
  /** Parses the argument. @throws UsageError that says what was expected */
  readonly parse?: (text: string) => unknown
  readonly choices?: readonly string[]
  /** May be given more than once; its value is an array. */
  readonly repeats?: boolean
  /** What completions offer for the argument. */
  readonly completes?: 'file' | 'directory'
}

/** The group of a command in the help. */
export type CommandGroup = 'Look:' | 'Change:' | 'Care:' | 'Carry:' | 'Shell:'

/** One command: its data and its function. */
export interface Command {
  readonly name: string
  /** One line, without a full stop. */
  readonly summary: string
  readonly group: CommandGroup
  /** The arguments after the directory, in the syntax of commander: `<key> [value]`. */
  readonly operands: string
  /** The first argument. `null`: there is none. @default '<directory>' */
  readonly place?: string | null
  /** What the operands complete to. */
  readonly completes?: 'file' | 'settings' | readonly string[]
  readonly options: readonly CommandOption[]
  /** Example lines, without `fanout-cache` in front. */
  readonly examples: readonly (readonly [line: string, what: string])[]
  /** Further text for the help of this command. */
  readonly details?: string
  /** Whether it removes or replaces data. It then has `--yes` and `--dry-run`. */
  readonly destroys?: boolean
  /** Runs the command. Resolves to the exit code, 0 by default. */
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

/** The waiting options of the verbs of a run. */
export interface Patience {
  /** Milliseconds. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/** The context in which a command runs. */
export interface Context {
  /** The directory as given. Empty when the command has none. */
  readonly directory: string
  /** The arguments after the directory. */
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
