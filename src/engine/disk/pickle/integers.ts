import { DecodeError } from '../../errors.js'

/** Limit of digits, the same as in Python, because parsing takes more than linear time. */
export const MAX_DIGITS = 4300

/** Converts an int of Python or an INTEGER of SQLite. The result is a number if that is exact, otherwise a bigint. */
export function fromBigInt(value: bigint): number | bigint {
  const small = Number(value)
  return Number.isSafeInteger(small) ? small : value
}

/** Parses an integer. @throws {DecodeError} for anything but decimal digits with a sign, and for too many digits */
export function parseInteger(text: string): number | bigint {
  if (!/^[+-]?\d+$/.test(text)) throw new DecodeError('expected an integer, got other text')
  if (text.length > MAX_DIGITS) throw new DecodeError(`an integer has more than ${MAX_DIGITS} digits`)
  return fromBigInt(text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text.replace('+', '')))
}

/** Reads little-endian two's complement of any length. */
export function integerFromBytes(bytes: Buffer): bigint {
  if (bytes.length === 0) return 0n
  const hex = Buffer.from(bytes).reverse().toString('hex')
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`))
}

/** Writes the shortest little-endian two's complement, as Python's `encode_long` does. */
export function integerToBytes(value: bigint): Buffer {
  if (value === 0n) return Buffer.alloc(0)
  // A number and its complement need the same length: 127 and -128 one byte, 128 and -129 two.
  const magnitude = (value < 0n ? ~value : value).toString(16)
  let length = Math.ceil(magnitude.length / 2)
  // The highest bit is the sign.
  if (magnitude.length % 2 === 0 && Number.parseInt(magnitude.charAt(0), 16) > 7) length++
  const hex = BigInt.asUintN(length * 8, value)
    .toString(16)
    .padStart(length * 2, '0')
  return Buffer.from(hex, 'hex').reverse()
}
