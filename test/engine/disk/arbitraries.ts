import fc from 'fast-check'
import type { Key } from '../../../src/engine/options.js'

/** Text without lone surrogates. */
export const wellFormed: fc.Arbitrary<string> = fc.string({ unit: 'binary' }).filter(text => text.isWellFormed())

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
/** Bigints that no number stands for. */
const large = fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }).filter(value => !Number.isSafeInteger(Number(value)))
const bytes = fc.uint8Array().map(value => Buffer.from(value))

const atoms: fc.Arbitrary<Key> = fc.oneof(
  wellFormed,
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true }),
  int64.filter(value => !Number.isSafeInteger(Number(value))),
  large,
  fc.boolean(),
  fc.constant(null),
  bytes,
)

const tree = fc.letrec<{ key: Key; composite: Key }>(tie => ({
  key: fc.oneof({ depthSize: 'small' }, atoms, tie('composite')),
  composite: fc.oneof(
    fc.array(tie('key'), { maxLength: 6 }),
    fc.dictionary(wellFormed, tie('key'), { maxKeys: 6, noNullPrototype: true }),
  ),
}))

/** Everything that can be a key, except text with lone surrogates and NaN. */
export const keys: fc.Arbitrary<Key> = tree.key
export const compositeKeys: fc.Arbitrary<Key> = tree.composite

/** What JSON can say, as our plain data has it: no -0. */
export const plain: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(value => value + 0),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 6, noNullPrototype: true }),
  ),
})).value

const atom = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(undefined, null, true, false, Number.NaN, -0, Number.NEGATIVE_INFINITY, 2n ** 64n, -(2n ** 100n)),
  fc.double(),
  fc.bigInt(),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array().map(bytes => Buffer.from(bytes)),
  fc.uint8Array(),
  fc.uint16Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.uint8Array().map(bytes => Uint8Array.from(bytes).buffer),
  fc.uint8Array().map(bytes => new DataView(Uint8Array.from(bytes).buffer)),
  fc.constantFrom(/a+b/giu, /[é😀]/u, Object(1), Object('é\ud800'), Object(5n), Object(true)),
  fc.string().map(message => new RangeError(message, { cause: { message } })),
)

/** What `structuredClone` carries, without prototypes of its own. */
export const clonable: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small' },
    atom,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.sparseArray(tie('value'), { maxNumElements: 4, maxLength: 40 }),
    fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 5, noNullPrototype: true }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map(entries => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map(items => new Set(items)),
    fc.tuple(fc.array(tie('value')), fc.string()).map(([array, name]) => Object.assign(array, { [`x${name}`]: 1 })),
    tie('value').map(value => [value, value]),
  ),
})).value

/** Without floats and booleans, some of which are the same to Python as some ints. */
const hashable = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.constant(null),
  fc.uint8Array().map(bytes => Buffer.from(bytes)),
)

/** Equal bytes are one to Python. */
function identityOf(value: unknown): unknown {
  return Buffer.isBuffer(value) ? `bytes ${value.toString('hex')}` : value
}

/** What pickles give back equal: of Maps those that have another key than text. */
export const picklable: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small' },
    hashable,
    fc.double(),
    fc.boolean(),
    large,
    fc.array(tie('value'), { maxLength: 6 }),
    fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 6, noNullPrototype: true }),
    fc
      .uniqueArray(fc.tuple(hashable, tie('value')), { maxLength: 4, selector: ([key]) => identityOf(key) })
      .map(entries => new Map<unknown, unknown>([[1, 'not text'], ...entries])),
    fc.uniqueArray(hashable, { maxLength: 4, selector: identityOf }).map(items => new Set(items)),
    tie('value').map(value => [value, value]),
  ),
})).value
