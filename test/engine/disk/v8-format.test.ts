import { serialize } from 'node:v8'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cloneFromBytes } from '../../../src/engine/disk/structured-clone.js'
import { assertHarmless } from '../../../src/engine/disk/v8-format.js'
import { DecodeError } from '../../../src/engine/errors.js'
import { clonable } from './arbitraries.js'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** A dense array that says it has so many places, nested a hundred times: 8 bytes for each place of each. */
function nestedPromises(places: number): Buffer {
  const length = [...Array(4).keys()].map(at => ((places >>> (7 * at)) & 0x7f) | (at < 3 ? 0x80 : 0))
  return Buffer.concat([
    hex('ff0f'),
    ...Array<Buffer>(100).fill(Buffer.from([0x41, ...length])),
    Buffer.alloc(places, 0x30),
  ])
}

const HARMFUL: readonly (readonly [string, Buffer])[] = [
  ['a sparse array of 33 million places', hex('ff0f 61 ffffff0f 40 00 ffffff0f')],
  ['sparse arrays that add up', hex(`ff0f 41 20 ${'61 80808004 40 00 80808004'.repeat(32)} 24 00 20`)],
  ['dense arrays of more places than bytes', nestedPromises(1_000_000)],
  ['a resizable buffer that may grow to gigabytes', hex('ff0f 7e 01 ffffffff0f 00')],
  ['shared memory', hex('ff0f 75 00')],
  ['WebAssembly', hex('ff0f 77 00')],
  ['a transferred buffer', hex('ff0f 74 00')],
  ['an object of a shared heap', hex('ff0f 70 00')],
  ['a string longer than the input', hex('ff0f 22 ffffff07 61')],
  ['a length that never ends', hex('ff0f 22 ffffffffffffff')],
  ['an end without beginning', hex('ff0f 7b 00')],
  ['an end of something else', hex('ff0f 6f 3a 00')],
  ['bytes after the end', hex('ff0f 30 30')],
  ['a version before the one of Node 20', hex('ff0c 30')],
  ['nothing', Buffer.alloc(0)],
  ['a header alone', hex('ff0f')],
]

describe('assertHarmless()', () => {
  it('lets everything pass that v8.serialize writes', () => {
    fc.assert(
      fc.property(clonable, value => assertHarmless(serialize(value))),
      { numRuns: 1000 },
    )
  })

  it.each(HARMFUL)('refuses %s', (_name, bytes) => {
    expect(() => assertHarmless(bytes)).toThrow(DecodeError)
  })

  it('refuses depths that V8 writes and cannot read', () => {
    let value: unknown = 1
    for (let at = 0; at < 1001; at++) value = { value }
    expect(() => assertHarmless(serialize(value))).toThrow(DecodeError)
  })
})

const samples = fc.constantFrom(
  ...[
    { a: 1, b: 'x'.repeat(50), c: [1, 2, 3.5, -0] },
    new Map<unknown, unknown>([
      [1, { a: new Date(1) }],
      ['k', new Set([1n, -(2n ** 70n)])],
    ]),
    [new ArrayBuffer(5), /ab+c/gi, new RangeError('message', { cause: [1] })],
    [new Uint8Array(5), new Float64Array(3), new DataView(new ArrayBuffer(9)), Buffer.from('hello')],
    [Object(1), Object('ab'), Object(5n), Object(true), 'héllo\ud800', undefined],
    Object.assign([1, 2, 3], { x: { y: [] } }),
    Object.assign([1], { 5: 2, length: 1000 }),
  ].map(value => serialize(value)),
)

const edits = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(0xff, 0x61, 0x41, 0x7e, 0x5c))), {
  maxLength: 5,
})

describe('cloneFromBytes()', () => {
  it('throws nothing but DecodeError for tampered bytes', () => {
    const read = (bytes: Buffer): void => {
      try {
        cloneFromBytes(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError)
      }
    }
    fc.assert(
      fc.property(samples, edits, fc.nat(), (sample, changes, cut) => {
        const bytes = Buffer.from(sample)
        for (const [at, byte] of changes) bytes[2 + (at % (bytes.length - 2))] = byte
        read(bytes)
        read(bytes.subarray(0, cut % bytes.length))
      }),
      { numRuns: 2000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), bytes => read(Buffer.concat([hex('ff0f'), bytes]))),
      { numRuns: 2000 },
    )
  })

  it('refuses what ends a process that reads it unguarded', () => {
    // 64 arrays of 2²⁵ - 1 places: 16 GiB to Node 20.
    const bytes = hex(`ff0f 41 40 ${'61 ffffff0f 40 00 ffffff0f'.repeat(64)} 24 00 40`)
    expect(() => cloneFromBytes(bytes)).toThrow(DecodeError)
  })
})
