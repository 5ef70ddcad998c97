import { isUtf8 } from 'node:buffer'
import { StreamError } from './stream-error.js'

/** Limit of a line. Longer text cannot be parsed. */
const LONGEST_LINE = 256 * 2 ** 20
const NEWLINE = 10

/** A line with its number, from 1 on, and the number of bytes up to its end. */
export interface Line {
  readonly number: number
  readonly text: string
  readonly bytes: number
}

/**
 * Reads the lines of a stream of bytes. Empty lines are skipped; the last one needs no newline.
 *
 * @throws StreamError for a line that is too long or no UTF-8
 */
export async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let number = 0
  let bytes = 0
  let parts: Uint8Array[] = []
  let length = 0
  const take = (part: Uint8Array): Line | undefined => {
    number++
    bytes += 1 + length + part.byteLength
    const line = parts.length === 0 ? part : Buffer.concat([...parts, part])
    parts = []
    length = 0
    if (!isUtf8(line)) throw new StreamError(number, 'it is no text in UTF-8')
    const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8').trim()
    return text === '' ? undefined : { number, text, bytes }
  }
  for await (const chunk of source) {
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      const line = take(chunk.subarray(from, end))
      from = end + 1
      if (line) yield line
    }
    if (from === chunk.byteLength) continue
    parts.push(chunk.subarray(from))
    length += chunk.byteLength - from
    if (length > LONGEST_LINE) throw new StreamError(number + 1, `it is longer than ${LONGEST_LINE} bytes`)
  }
  if (length === 0) return
  const line = take(new Uint8Array(0))
  if (line) yield line
}
