import type { EncodedKey } from './codec.js'

const ADLER_MODULUS = 65_521
// The sum of this many bytes stays below 2³¹, so that V8 keeps it as a small integer.
const ADLER_STRIDE = 2048
const INTEGER_MODULUS = 0xffff_ffff

const double = Buffer.alloc(8)

/**
 * DiskCache's `Disk.hash`, an unsigned 32-bit number. The shard of a key is `hash % shards`. It is the same on all
 * hosts and in both languages: Adler-32 of the stored bytes (big-endian for REAL), integers modulo 2³² − 1.
 *
 * 1 and 1.0 are the same key for SQLite but have different hashes. DiskCache stores them in different shards, and so do
 * we.
 *
 * @throws {TypeError} for NULL, which is no key
 */
export function hashKey(encoded: EncodedKey): number {
  const { data } = encoded
  if (typeof data === 'string') return adlerOfText(data)
  if (typeof data === 'bigint') return remainderOf(data)
  if (data === null) throw new TypeError('NULL is no key and has no hash')
  if (typeof data === 'object') return adlerOfBytes(data)
  double.writeDoubleBE(data)
  return adlerOfBytes(double)
}

/** Returns the shard of a key. */
export function placeOf<Shard>(encoded: EncodedKey, shards: readonly Shard[]): Shard {
  return shards[shards.length === 1 ? 0 : hashKey(encoded) % shards.length] as Shard
}

/** Adler-32 of a string in UTF-8, without allocation for ASCII, which nearly every key is. */
function adlerOfText(text: string): number {
  let low = 1
  let high = 0
  const { length } = text
  for (let at = 0; at < length; ) {
    const end = Math.min(at + ADLER_STRIDE, length)
    for (; at < end; at++) {
      const code = text.charCodeAt(at)
      if (code > 127) return adlerOfBytes(Buffer.from(text, 'utf8'))
      low += code
      high += low
    }
    low %= ADLER_MODULUS
    high %= ADLER_MODULUS
  }
  return ((high << 16) | low) >>> 0
}

function adlerOfBytes(bytes: Uint8Array): number {
  let low = 1
  let high = 0
  const { length } = bytes
  for (let at = 0; at < length; ) {
    const end = Math.min(at + ADLER_STRIDE, length)
    for (; at < end; at++) {
      low += bytes[at] as number
      high += low
    }
    low %= ADLER_MODULUS
    high %= ADLER_MODULUS
  }
  return ((high << 16) | low) >>> 0
}

/** Python's `%`, which is never negative. */
function remainderOf(integer: bigint): number {
  const small = Number(integer)
  if (Number.isSafeInteger(small)) {
    const remainder = small % INTEGER_MODULUS
    return remainder < 0 ? remainder + INTEGER_MODULUS : remainder === 0 ? 0 : remainder
  }
  const remainder = integer % BigInt(INTEGER_MODULUS)
  return Number(remainder < 0n ? remainder + BigInt(INTEGER_MODULUS) : remainder)
}
