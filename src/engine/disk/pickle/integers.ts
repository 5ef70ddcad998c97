import { DecodeError } from '../../errors.js'

/** Python reads and writes no longer ones as text either: parsing takes more than linear time. */
export const MAX_DIGITS = 4300

/** Python's int, or SQLite's INTEGER: a number where that is exact. */
export function fromBigInt(value: bigint): number | bigint {
  const small = Number(value)
  return Number.isSafeInteger(small) ? small : value
}

/** @throws {DecodeError} for anything but decimal digits with a sign, or too many of them */
export function parseInteger(text: string): number | bigint {
  if (!/^[+-]?\d+$/.test(text)) throw new DecodeError('expected an integer, got other text')
  if (text.length > MAX_DIGITS) throw new DecodeError(`an integer has more than ${MAX_DIGITS} digits`)
  return fromBigInt(text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text.replace('+', '')))
}

/** Little-endian two's complement, any length. */
export function integerFromBytes(bytes: Buffer): bigint {
  if (bytes.length === 0) return 0n
  const hex = Buffer.from(bytes).reverse().toString('hex')
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`))
}

/** The shortest little-endian two's complement, as Python's `encode_long`. */
export function integerToBytes(value: bigint): Buffer {
  if (value === 0n) return Buffer.alloc(0)
  // A number and its complement need the same length: 127 and -128 one byte, 128 and -129 two.
  const magnitude = (value < 0n ? ~value : value).toString(16)
  let length = Math.ceil(magnitude.length / 2)
  // The highest bit is the sign's.
  if (magnitude.length % 2 === 0 && Number.parseInt(magnitude.charAt(0), 16) > 7) length++
  const hex = BigInt.asUintN(length * 8, value)
    .toString(16)
    .padStart(length * 2, '0')
  return Buffer.from(hex, 'hex').reverse()
}
