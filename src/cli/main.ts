import type { Io } from './command.js'
import { COMMANDS } from './commands/index.js'
import { Context } from './context.js'
import {
  CliError,
  ENDINGS,
  type EndingSignal,
  EXIT,
  exitCodeOf,
  Interrupted,
  OutputClosed,
  sentenceOf,
} from './exit-codes.js'
import { Options } from './options.js'
import { printable } from './output.js'
import { type Parsed, parseArguments } from './program.js'
import { VERSION } from './version.js'

/**
 * Runs one command line and resolves to its exit code. It throws nothing: an error is one sentence on stderr.
 *
 * @param argv the arguments after the name of the program
 * @param signal aborted to end the command early; its reason says how it ended
 */
export async function run(argv: readonly string[], io: Io, signal: AbortSignal): Promise<number> {
  try {
    const print = (text: string): void => {
      io.stdout.write(text)
    }
    const parsed = parseArguments(argv, {
      commands: COMMANDS,
      version: VERSION,
      print,
      width: io.stdout.columns ?? 100,
    })
    return parsed ? await runCommand(parsed, io, signal) : EXIT.done
  } catch (error) {
    tell(signal.aborted && signal.reason instanceof CliError ? signal.reason : error, io)
    return exitCodeOf(signal.aborted ? signal.reason : error)
  }
}

async function runCommand({ command, operands, values }: Parsed, io: Io, signal: AbortSignal): Promise<number> {
  const context = new Context(command, operands, new Options(values), io, signal)
  try {
    const code = await command.run(context)
    signal.throwIfAborted()
    return code ?? EXIT.done
  } finally {
    await context.close()
  }
}

function tell(error: unknown, io: Io): void {
  const sentence = sentenceOf(error)
  if (sentence === undefined) return
  // It may quote keys, names of files and streams of others.
  io.stderr.write(`fanout-cache: ${printable(sentence)}\n`)
  if (io.env['FANOUT_CACHE_DEBUG'] && error instanceof Error) io.stderr.write(`${error.stack}\n`)
}

/** Runs the command line of this process, and ends it. */
export async function main(): Promise<void> {
  const { stdin, stdout, stderr, env } = process
  // A promise that is never settled ends the process before its command: that is no success.
  process.once('beforeExit', () => {
    process.exitCode = EXIT.defect
  })
  const controller = new AbortController()
  for (const signal of Object.keys(ENDINGS) as EndingSignal[]) {
    // Once, so that a second signal ends the process at once.
    process.once(signal, () => controller.abort(new Interrupted(signal)))
  }
  stdout.on('error', error => {
    controller.abort((error as NodeJS.ErrnoException).code === 'EPIPE' ? new OutputClosed() : error)
  })
  stderr.on('error', () => undefined)
  controller.signal.addEventListener('abort', () => stdin.destroy())
  const code = await run(process.argv.slice(2), { stdin, stdout, stderr, env }, controller.signal)
  await Promise.all([flushed(stdout), flushed(stderr)])
  process.exit(code === EXIT.done ? lateCode(controller.signal, process) : code)
}

/** The exit code when the last output was lost, for example on a full disk, which nothing else reports. */
function lateCode(signal: AbortSignal, io: Io): number {
  if (!signal.aborted || signal.reason instanceof CliError) return EXIT.done
  tell(signal.reason, io)
  return exitCodeOf(signal.reason)
}

/** Waits until a stream is flushed, since `exit` would discard output to a pipe. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise(resolve => {
    // A turn later, because the error of the last write is reported in the next turn.
    if (stream.destroyed || stream.writableLength === 0) setImmediate(resolve)
    else stream.write('', () => setImmediate(resolve))
  })
}
