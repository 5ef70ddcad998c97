import { isUtf8 } from 'node:buffer'

/** Limit of a line. Longer text cannot be parsed. */
const LONGEST_LINE = 256 * 2 ** 20
const NEWLINE = 10
const RETURN = 13

/** A line with its number, from 1 on, and the number of bytes up to its end. */
export interface Line {
  readonly number: number
  readonly text: string
  readonly bytes: number
}

/**
 * Reads the lines of a stream of bytes, which end with `\n` or `\r\n`; the last one needs no end. All else belongs to
 * them, also what readline takes for the end of a line, and a byte order mark.
 *
 * @param broken makes the error for a line that is too long or no UTF-8
 */
export async function* linesOf(
  source: AsyncIterable<Uint8Array>,
  broken: (line: number, what: string) => Error,
): AsyncGenerator<Line> {
  let number = 0
  let bytes = 0
  let parts: Uint8Array[] = []
  let length = 0
  const take = (part: Uint8Array): Line => {
    number++
    bytes += 1 + length + part.byteLength
    const line = parts.length === 0 ? part : Buffer.concat([...parts, part])
    parts = []
    length = 0
    if (!isUtf8(line)) throw broken(number, 'is no text in UTF-8')
    const end = line.at(-1) === RETURN ? line.byteLength - 1 : line.byteLength
    return { number, text: Buffer.from(line.buffer, line.byteOffset, end).toString(), bytes }
  }
  for await (const chunk of source) {
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      yield take(chunk.subarray(from, end))
      from = end + 1
    }
    if (from === chunk.byteLength) continue
    parts.push(chunk.subarray(from))
    length += chunk.byteLength - from
    if (length > LONGEST_LINE) throw broken(number + 1, `is longer than ${LONGEST_LINE} bytes`)
  }
  if (length > 0) yield take(new Uint8Array(0))
}
