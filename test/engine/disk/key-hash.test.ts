import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hashKey } from '../../../src/engine/disk/key-hash.js'

/** RFC 1950 §9, word by word. */
function adler32(bytes: Uint8Array): number {
  let a = 1n
  let b = 0n
  for (const byte of bytes) {
    a = (a + BigInt(byte)) % 65521n
    b = (b + a) % 65521n
  }
  return Number((b << 16n) | a)
}

describe('hashKey()', () => {
  it('agrees with the definition of Adler-32 for text of any length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 5000 }), text => {
        expect(hashKey({ data: text, raw: true })).toBe(adler32(Buffer.from(text)))
      }),
    )
  })

  it('agrees with the definition of Adler-32 for bytes of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9000 }), bytes => {
        expect(hashKey({ data: Buffer.from(bytes), raw: true })).toBe(adler32(bytes))
      }),
    )
    const worst = Buffer.alloc(100_000, 255)
    expect(hashKey({ data: worst, raw: true })).toBe(adler32(worst))
    expect(hashKey({ data: '\x7f'.repeat(100_000), raw: true })).toBe(adler32(Buffer.alloc(100_000, 0x7f)))
  })

  it('takes integers modulo 2³² - 1, never negative', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), integer => {
        const modulus = 2n ** 32n - 1n
        const expected = Number(((integer % modulus) + modulus) % modulus)
        expect(Object.is(hashKey({ data: integer, raw: true }), expected)).toBe(true)
      }),
    )
    for (const integer of [0n, -4294967295n, 4294967295n * 3n]) expect(hashKey({ data: integer, raw: true })).toBe(0)
  })

  it('takes floats by their eight bytes, so that 1.0 and 1 differ as they do in DiskCache', () => {
    expect(hashKey({ data: 1, raw: true })).toBe(143655216)
    expect(hashKey({ data: 1n, raw: true })).toBe(1)
  })

  it('refuses NULL', () => {
    expect(() => hashKey({ data: null, raw: true })).toThrow(TypeError)
  })
})
