import { constants } from 'node:os'
import { DiskCacheError } from '../engine/index.js'

/** The exit codes. docs/command-line.md has the same list. */
export const EXIT = {
  done: 0,
  /** The answer is no: the key does not exist, or findings are left. */
  no: 1,
  /** The command line is wrong, or this Node cannot run it. */
  usage: 2,
  /** There is no such directory or no cache in it. */
  noCache: 3,
  /** Permission, a read-only or full disk, a damaged database. */
  storage: 4,
  /** A lock was not free in time. */
  locked: 5,
  /** The stream to be imported is broken or truncated. */
  data: 65,
  /** A defect of this program. */
  defect: 70,
  hungUp: 129,
  interrupted: 130,
  terminated: 143,
} as const

/** An error of a command that is reported as one sentence. */
export class CliError extends Error {
  override name = 'CliError'
  readonly exitCode: number

  constructor(exitCode: number, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** The command line is wrong. */
export class UsageError extends CliError {
  override name = 'UsageError'

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(EXIT.usage, message, options)
  }
}

/** Signals that end a command between two steps. Closing the terminal sends SIGHUP. */
export const ENDINGS = { SIGHUP: 'hungUp', SIGINT: 'interrupted', SIGTERM: 'terminated' } as const
export type EndingSignal = keyof typeof ENDINGS

/** A signal has ended the command. */
export class Interrupted extends CliError {
  override name = 'Interrupted'

  constructor(signal: EndingSignal) {
    super(EXIT[ENDINGS[signal]], 'interrupted')
  }
}

/** Nobody reads the output any more, as with `| head`. The command ends successfully. */
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

/** Of an exceeded quota, for which Node has no name. */
const QUOTA = `Unknown system error -${constants.errno.EDQUOT}`

/** File system errors of files that were named on the command line. */
const SYSTEM_CODES = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC', QUOTA, 'EIO', 'EMFILE', 'ENFILE'])

/** The exit code of an error. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode
  if (error instanceof DiskCacheError) return CODES[error.code] ?? EXIT.storage
  if (!isSystemError(error)) return EXIT.defect
  return SYSTEM_CODES.has(error.code) ? EXIT.storage : EXIT.usage
}

/** The sentence that reports an error. `undefined`: nothing is reported. */
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
