import { fstatSync } from 'node:fs'
import { linesOf } from '../engine/for-transfer.js'
import type { Key } from '../engine/index.js'
import type { Io } from './command.js'
import type { Context } from './context.js'
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
  const source = io.stdin as AsyncIterable<Uint8Array>
  // Replacement characters for what is no text would make it another key.
  for await (const { text, number } of linesOf(source, (_line, what) => new UsageError(`stdin ${what}`))) {
    signal.throwIfAborted()
    if (text !== '') yield isJson ? keyOfLine(text, number) : text
  }
  signal.throwIfAborted()
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
