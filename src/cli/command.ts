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

/** The waiting options that a command passes to its verbs. */
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
  /** Aborted by Ctrl-C, SIGTERM and a closed output; the command rejects with its reason. */
  readonly signal: AbortSignal
  readonly patience: Patience
  /** Whether to change nothing, and only say what would change. */
  readonly dryRun: boolean
  /**
   * Opens the cache of the directory, a Cache or a FanoutCache. It is closed when the command has ended. `'read'`
   * opens it readonly.
   *
   * @throws CliError when there is no cache and `create` is not given
   */
  open(access: 'read' | 'write', options?: { readonly create?: 'Cache' | 'FanoutCache' }): Promise<Cache | FanoutCache>
  /**
   * Awaits a verb of the open cache. Throws the error where a FanoutCache would return `false` or `undefined`, and a
   * UsageError for wrong arguments.
   */
  answer<T>(verb: Promise<T>): Promise<T>
  /** Passes on the items of a listing. Ends with an error if the listing left out a locked shard. */
  listed<T>(items: AsyncIterable<T>): AsyncIterable<T>
  /** Asks on the terminal; true at once with `--yes`. @throws UsageError where nobody can be asked */
  confirm(question: string): Promise<boolean>
  /** Throws where `confirm` would have nobody to ask: before work that is done for the question. @throws UsageError */
  assertAskable(): void
  /** Writes a remark to stderr. */
  note(text: string): void
}
