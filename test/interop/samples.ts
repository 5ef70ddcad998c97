import { float, toWire, type Wire } from '../helpers/wire.js'

/** One value as each language says it. */
export interface Sample {
  readonly title: string
  readonly node: string | number | bigint | Buffer | boolean | null
  readonly python: Wire
}

const INTEGERS = [
  0,
  1,
  -1,
  7,
  127,
  128,
  255,
  256,
  65535,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  -(2 ** 31) - 1,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
  1 - 2 ** 53,
]

/** Beyond what a number holds exactly; from 2^63 on also beyond what a column of SQLite holds. */
const BIG_INTEGERS = [
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n),
  -(2n ** 53n) - 1n,
  2n ** 62n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  2n ** 63n,
  -(2n ** 63n) - 1n,
  2n ** 64n,
  10n ** 40n,
  -(10n ** 40n),
  2n ** 2100n,
]

/** Among them whole numbers which JavaScript does not hold exactly: they are floats to Python. */
const FLOATS = [0.5, -1.5, 0.1, 1e-300, 5e-324, Number.MAX_VALUE, 2 ** 70, 1e21, Infinity, -Infinity]

const TEXTS: Readonly<Record<string, string>> = {
  'an empty string': '',
  'a letter': 'a',
  'a number as text': '1',
  'a NUL inside': 'before\0after',
  'a NUL alone': '\0',
  'a composed accent': '\u00e9',
  'a combining accent': 'e\u0301',
  'an emoji': '\u{1f600}',
  'a family of emoji': '\u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
  'a byte order mark in front': '\ufeffmarked',
  'U+FFFF': '\uffff',
  'U+10FFFF': '\u{10ffff}',
  'right to left': '\u05e9\u05dc\u05d5\u05dd',
  'line ends of all kinds': 'one\r\ntwo\rthree\nfour\u2028five',
  'quotes and backslashes': `"'\\`,
}

const LONG_TEXTS: Readonly<Record<string, string>> = {
  '32767 letters': 'x'.repeat(32_767),
  '32768 letters': 'x'.repeat(32_768),
  '32767 emoji': '\u{1f600}'.repeat(32_767),
  '32768 emoji': '\u{1f600}'.repeat(32_768),
  '40000 accents': '\u00e9'.repeat(40_000),
  'a long string with a byte order mark': `\ufeff${'y'.repeat(40_000)}`,
  'a long string with NULs': 'z\0'.repeat(20_000),
  'a long string of lines': 'line\n'.repeat(10_000),
}

const BYTES: Readonly<Record<string, Buffer>> = {
  'no bytes': Buffer.alloc(0),
  'a zero byte': Buffer.from([0]),
  'bytes that are no text': Buffer.from([0, 255, 128, 13, 10]),
  'bytes that are text': Buffer.from('hello'),
  'bytes that look like a pickle': Buffer.from('80054e2e', 'hex'),
  '32767 bytes': Buffer.alloc(32_767, 7),
  '32768 bytes': Buffer.alloc(32_768, 13),
  '100000 bytes': Buffer.alloc(100_000, '\r\n'),
}

function sample(title: string, node: Sample['node']): Sample {
  return { title, node, python: toWire(node) }
}

function named(samples: Readonly<Record<string, string | Buffer>>): Sample[] {
  return Object.entries(samples).map(([title, node]) => sample(title, node))
}

/** No two of these are one key to either language. */
export const KEYS: readonly Sample[] = [
  ...INTEGERS.map(value => sample(`int ${value}`, value)),
  ...BIG_INTEGERS.map(value => sample(`bigint ${value}`, value)),
  ...FLOATS.map(value => sample(`float ${value}`, value)),
  ...named(TEXTS),
  ...named(LONG_TEXTS),
  ...named(BYTES),
  sample('None', null),
  sample('True', true),
  sample('False', false),
]

export const VALUES: readonly Sample[] = [...KEYS, { title: 'float -0.0', node: -0, python: float('-0.0').wire }]
