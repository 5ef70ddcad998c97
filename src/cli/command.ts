import type { Context } from './context.js'

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
