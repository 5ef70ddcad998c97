import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { EncodedKey } from '../../../src/engine/disk/codec.js'
import { jsonCodec } from '../../../src/engine/disk/json-codec.js'
import { readPythonJson } from '../../../src/engine/disk/json-reader.js'
import { hashKey } from '../../../src/engine/disk/key-hash.js'
import { pickleCodec } from '../../../src/engine/disk/pickle-codec.js'
import { structuredCodec } from '../../../src/engine/disk/structured-codec.js'
import type { Key } from '../../../src/engine/options.js'

/** What diskcache 5.6.3 on CPython 3.11 stored for a key. */
interface Golden {
  readonly key: string
  readonly type: 'memoryview' | 'int' | 'float' | 'str'
  readonly enc: string | number | bigint
  readonly raw: boolean
  readonly hash: number
  readonly shard8: number
  readonly json: string | null
  readonly jsonhash8: number | null
}

// Read without rounding the 64-bit integers.
const golden = readPythonJson(readFileSync(new URL('golden-keys.json', import.meta.url), 'utf8')) as Golden[]

/** The same keys in JavaScript; the rest, which only Python can make, is read below. */
const KEYS: Readonly<Record<string, Key>> = {
  None: null,
  True: true,
  False: false,
  0: 0,
  1: 1,
  '-1': -1,
  '2**31': 2 ** 31,
  4294967295: 4294967295,
  4294967296: 4294967296,
  '-(2**63)': -(2n ** 63n),
  '2**63-1': 2n ** 63n - 1n,
  '2**63': 2n ** 63n,
  '2**64': 2n ** 64n,
  '-(2**63)-1': -(2n ** 63n) - 1n,
  '-0.0': -0,
  '1.5': 1.5,
  inf: Number.POSITIVE_INFINITY,
  "''": '',
  "'a'": 'a',
  "'hello'": 'hello',
  "'é'": 'é',
  "'😀'": '😀',
  "b''": Buffer.from(''),
  "b'a'": Buffer.from('a'),
  "b'hello'": Uint8Array.from(Buffer.from('hello')),
  '()': [],
  '(1,)': [1],
  '(1,2)': [1, 2],
  '(1,2,3)': [1, 2, 3],
  '(1,2,3,4)': [1, 2, 3, 4],
  "('a',)": ['a'],
  "('a','b')": ['a', 'b'],
  "('ab', ''.join-ab) distinct objs": ['ab', 'ab'],
  "('mod.f',1,2,None)": ['mod.f', 1, 2, null],
  "('mod.f',1,None,'x',4)": ['mod.f', 1, null, 'x', 4],
  '{}': {},
  "{'a':1}": { a: 1 },
  "{'a':1,'b':2}": { a: 1, b: 2 },
  '(1.5,True,None)': [1.5, true, null],
  "(b'x',)": [Buffer.from('x')],
  '255,256,65535,65536,-128': [255, 256, 65535, 65536, -128, 2 ** 31 - 1, 2 ** 31, -(2 ** 31)],
  'long str tuple': ['x'.repeat(300)],
}

/** Python's identity shows in these bytes, or a type that we have no key for; they can be read and found again. */
const ONLY_PYTHON = [
  '0.0',
  '1.0',
  "('a','a') same obj",
  '[]',
  '[1]',
  '[1,2]',
  "('f',None,ENOVAL)",
  'frozenset()',
  'set {1}',
]

const shared = golden.filter(({ key }) => Object.hasOwn(KEYS, key))

function stored({ type, enc, raw }: Golden): EncodedKey {
  if (type === 'memoryview') return { data: Buffer.from(String(enc), raw ? 'utf8' : 'hex'), raw }
  if (type === 'int') return { data: BigInt(enc), raw }
  return { data: type === 'float' ? Number(enc === 'inf' ? Infinity : enc) : String(enc), raw }
}

// Raw bytes are given in hex too, but for the empty ones that makes no difference.
function storedKey(entry: Golden): EncodedKey {
  return entry.type === 'memoryview' ? { data: Buffer.from(String(entry.enc), 'hex'), raw: entry.raw } : stored(entry)
}

it('covers every golden key', () => {
  expect([...shared.map(({ key }) => key), ...ONLY_PYTHON].sort()).toEqual(golden.map(({ key }) => key).sort())
})

describe.each([structuredCodec, pickleCodec])('the keys of the $name codec', codec => {
  it.each(shared)('stores $key as Python does', entry => {
    const encoded = codec.encodeKey(KEYS[entry.key])
    expect(encoded).toEqual(storedKey(entry))
    expect(hashKey(encoded)).toBe(entry.hash)
    expect(hashKey(encoded) % 8).toBe(entry.shard8)
  })

  it.each(golden)('finds the row of $key by the key that came out of it', entry => {
    const { data, raw } = storedKey(entry)
    const again = codec.encodeKey(codec.decodeKey(data, raw))
    // A float without fraction comes back as the integer that SQLite holds for equal.
    const integer = typeof data === 'number' && Number.isInteger(data) && !Object.is(data, -0)
    expect(again).toEqual(integer ? { data: BigInt(data), raw } : { data, raw })
  })

  it.each(shared)('reads $key back', ({ key, ...entry }) => {
    const { data, raw } = storedKey({ key, ...entry })
    const expected = KEYS[key]
    expect(codec.decodeKey(data, raw)).toEqual(expected instanceof Uint8Array ? Buffer.from(expected) : expected)
  })
})

describe('the keys of the json codec', () => {
  it.each(shared.filter(({ json }) => json !== null))('stores $key as JSONDisk does', entry => {
    const encoded = jsonCodec.encodeKey(KEYS[entry.key])
    expect(encoded).toEqual({ data: Buffer.from(entry.json as string, 'hex'), raw: true })
    expect(hashKey(encoded) % 8).toBe(entry.jsonhash8)
  })

  it.each(shared.filter(({ json }) => json === null))('refuses $key, which JSON cannot say', ({ key }) => {
    expect(() => jsonCodec.encodeKey(KEYS[key])).toThrow(TypeError)
  })

  it.each(shared.filter(({ json }) => json !== null))('reads $key back', ({ key, json }) => {
    expect(jsonCodec.decodeKey(Buffer.from(json as string, 'hex'), true)).toEqual(KEYS[key])
  })
})
