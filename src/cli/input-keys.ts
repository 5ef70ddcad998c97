import { fstatSync } from 'node:fs'
import type { Key } from '../engine/index.js'
import type { Context, Io } from './command.js'
import { UsageError } from './exit-codes.js'
import { parseJsonKey } from './keys.js'
import { parseJson } from './tagged-json.js'

/**
 * Reads keys from stdin, one for each line. With `--key-json` a line is the JSON of a key, or an object with `key` as
 * `ls --json` prints it.
 *
 * @throws UsageError that names the line
 */
export async function* inputKeys({ io, options, signal }: Context): AsyncGenerator<Key> {
  const isJson = options.flag('keyJson')
  let number = 0
  for await (const line of linesOf(io.stdin)) {
    signal.throwIfAborted()
    number++
    if (line === '') continue
    yield isJson ? keyOfLine(line, number) : line
  }
  signal.throwIfAborted()
}

/** The lines of a stream. Unlike readline, of which later versions of Node take more for the end of a line. */
async function* linesOf(stdin: NodeJS.ReadableStream): AsyncGenerator<string> {
  // A byte order mark in front belongs to the key: without it another key would be meant.
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true })
  let rest = ''
  for await (const chunk of stdin) {
    const text = typeof chunk === 'string' ? chunk : decoded(() => decoder.decode(chunk, { stream: true }))
    rest += text
    if (!text.includes('\n')) continue
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield withoutReturn(line)
  }
  yield withoutReturn(rest + decoded(() => decoder.decode()))
}

function decoded(decode: () => string): string {
  try {
    return decode()
  } catch (error) {
    // Replacement characters would make it another key.
    throw new UsageError('stdin is no text in UTF-8', { cause: error })
  }
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line
}

/**
 * Refuses a stdin that is no stream of data. On a terminal a bar would be drawn over what is typed; from a directory
 * Node reads nothing without an error.
 *
 * @throws UsageError on a terminal and a directory
 */
export function checkStdin({ stdin }: Io, instead: string): void {
  if (stdin.isTTY === true) throw new UsageError(`this reads stdin, and stdin is a terminal: ${instead}`)
  if (stdin.fd !== undefined && fstatSync(stdin.fd).isDirectory()) {
    throw new UsageError(`this reads stdin, and stdin is a directory: ${instead}`)
  }
}

function keyOfLine(line: string, number: number): Key {
  try {
    const listed = line.startsWith('{') ? parseJson(line, 'the key') : undefined
    const isListed = typeof listed === 'object' && listed !== null && 'key' in listed
    return parseJsonKey(isListed ? JSON.stringify(listed.key) : line)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    throw new UsageError(`line ${number} of stdin: ${error.message}`, { cause: error })
  }
}
