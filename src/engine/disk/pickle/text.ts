import { isUtf8 } from 'node:buffer'
import { DecodeError } from '../../errors.js'

const LONE_SURROGATE = /(\p{Surrogate})/u

/**
 * Encodes UTF-8 with Python's 'surrogatepass': a lone surrogate becomes three bytes like other characters of its range.
 */
export function encodeUtf8WithSurrogates(text: string): Buffer {
  const parts = text.split(LONE_SURROGATE).map((part, at) => {
    if (at % 2 === 0) return Buffer.from(part, 'utf8')
    const code = part.charCodeAt(0)
    return Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)])
  })
  return Buffer.concat(parts)
}

/** Decodes UTF-8 with 'surrogatepass'. @throws {DecodeError} for bytes that Python refuses as well */
export function decodeUtf8WithSurrogates(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  let text = ''
  let from = 0
  for (let at = bytes.indexOf(0xed); at >= 0; at = bytes.indexOf(0xed, at + 1)) {
    const second = bytes[at + 1] ?? 0
    const third = bytes[at + 2] ?? 0
    // 0xED is never a second byte, and followed by 0xA0 or above it always begins a surrogate.
    if (second < 0xa0 || second > 0xbf || third < 0x80 || third > 0xbf) continue
    text += wellFormed(bytes.subarray(from, at))
    text += String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f))
    from = at + 3
  }
  return text + wellFormed(bytes.subarray(from))
}

/** Decodes text of protocol 0: Latin-1 with `\uXXXX` and `\UXXXXXXXX`. */
export function decodeRawUnicodeEscape(text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (_match, short?: string, long?: string) => {
    const code = Number.parseInt(short ?? long ?? '', 16)
    if (code > 0x10ffff) throw new DecodeError(`a pickle holds the character ${code}, which is none`)
    return String.fromCodePoint(code)
  })
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
}

/** Decodes Python 2's `repr` of a str. As in Python 3, only ASCII is accepted as text. */
export function decodeQuoted(literal: string): string {
  const quote = literal[0]
  if (literal.length < 2 || (quote !== "'" && quote !== '"') || !literal.endsWith(quote)) {
    throw new DecodeError('a pickle holds a string without quotes')
  }
  const text = literal
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{2})|([\s\S])|$)/g, (_match, hex?: string, one?: string) => {
      const character = hex === undefined ? ESCAPES[one ?? ''] : String.fromCharCode(Number.parseInt(hex, 16))
      if (character === undefined) throw new DecodeError('a pickle holds a string with an unknown escape')
      return character
    })
  return asciiText(text)
}

/** Checks a str of Python 2. @throws {DecodeError} when it is not ASCII, since it may then be text or bytes */
export function asciiText(latin1: string): string {
  for (let at = 0; at < latin1.length; at++) {
    if (latin1.charCodeAt(at) > 127) throw new DecodeError('a pickle of Python 2 holds a str that is not ASCII')
  }
  return latin1
}

function wellFormed(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new DecodeError('a pickle holds text that is not UTF-8')
  return bytes.toString('utf8')
}
