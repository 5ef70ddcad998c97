import { UsageError } from './exit-codes.js'
import { printable } from './output.js'

/** Line ends and tabs, which are kept. */
const LAYOUT = /((?:\r?\n|\t)+)/

/**
 * Makes text safe for a terminal: control characters are written as in JSON, except for tabs and line ends.
 *
 * @throws UsageError when it is no text
 */
export async function* forTerminal(source: AsyncIterable<unknown>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  const decoded = (bytes?: Uint8Array): string => {
    try {
      return shownText(decoder.decode(bytes, { stream: bytes !== undefined }))
    } catch (error) {
      throw notText(error)
    }
  }
  for await (const chunk of source) yield decoded(chunk as Uint8Array)
  yield decoded()
}

function shownText(text: string): string {
  if (text.includes('\0')) throw notText()
  return text
    .split(LAYOUT)
    .map((part, at) => (at % 2 === 1 ? part : printable(part)))
    .join('')
}

function notText(cause?: unknown): UsageError {
  return new UsageError('the value is no text, which a terminal could show: --out <file>, --json, or a pipe take it', {
    cause,
  })
}
