import { DiskCacheError } from '../engine/index.js'

/** What the command line answers to the shell. docs/command-line.md has the same list. */
export const EXIT = {
  done: 0,
  /** The answer is no: the key is not there, findings are left. */
  no: 1,
  /** The command was not written as it must be, or this Node cannot run it. */
  usage: 2,
  /** There is no such directory, or no cache in it. */
  noCache: 3,
  /** Permission, a read-only or full disk, a damaged database. */
  storage: 4,
  /** A lock was not free in time. */
  locked: 5,
  /** What was read is broken or was cut off: a stream to be imported. */
  data: 65,
  /** A defect of ours. */
  defect: 70,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const

/** An end of a command that is told as one sentence. */
export class CliError extends Error {
  override name = 'CliError'
  readonly exitCode: number

  constructor(exitCode: number, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** The command was asked for something that it cannot be asked for. */
export class UsageError extends CliError {
  override name = 'UsageError'

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(EXIT.usage, message, options)
  }
}

/** Signals that end a command between two steps. A terminal that is closed hangs up. */
export const ENDINGS = { SIGHUP: 'hungUp', SIGINT: 'interrupted', SIGTERM: 'terminated' } as const
export type EndingSignal = keyof typeof ENDINGS

/** A signal asked the command to end. */
export class Interrupted extends CliError {
  override name = 'Interrupted'

  constructor(signal: EndingSignal) {
    super(EXIT[ENDINGS[signal]], 'interrupted')
  }
}

/** Nobody reads the output any more, as with `| head`: the command ends, and all is well. */
export class OutputClosed extends CliError {
  override name = 'OutputClosed'

  constructor() {
    super(EXIT.done, 'the output was closed')
  }
}

const CODES: Readonly<Record<string, number>> = {
  ERR_CACHE_TIMEOUT: EXIT.locked,
  ERR_CACHE_PENDING: EXIT.locked,
  ERR_CACHE_VALUE_TOO_LARGE: EXIT.usage,
  ERR_CACHE_DRIVER: EXIT.usage,
}

/** File system errors of files that were named on the command line. */
const SYSTEM_CODES = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'ENFILE'])

/** The exit code for what a command has thrown. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode
  if (error instanceof DiskCacheError) return CODES[error.code] ?? EXIT.storage
  if (!isSystemError(error)) return EXIT.defect
  return SYSTEM_CODES.has(error.code) ? EXIT.storage : EXIT.usage
}

/** One sentence for people; `undefined`: nothing need be said. */
export function sentenceOf(error: unknown): string | undefined {
  if (error instanceof OutputClosed) return undefined
  const message = error instanceof Error ? error.message : String(error)
  const line = message.replace(/\s*\n\s*/g, ' ').trim()
  if (exitCodeOf(error) !== EXIT.defect) return line
  return `this is a defect of fanout-cache, please report it: ${line} (FANOUT_CACHE_DEBUG=1 shows where)`
}

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string'
}
