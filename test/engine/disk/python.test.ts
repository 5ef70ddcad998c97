import { inspect, isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EncodedKey } from '../../../src/engine/disk/codec.js'
import { jsonCodec } from '../../../src/engine/disk/json-codec.js'
import { hashKey } from '../../../src/engine/disk/key-hash.js'
import { encodeKey } from '../../../src/engine/disk/keys.js'
import { fromBigInt } from '../../../src/engine/disk/pickle/integers.js'
import { readPickle } from '../../../src/engine/disk/pickle/reader.js'
import { writePickle } from '../../../src/engine/disk/pickle/writer.js'
import { encodeTextForFile } from '../../../src/engine/disk/text-file.js'
import { peer } from '../../helpers/peers.js'
import { runPython } from '../../helpers/python.js'
import { keys, picklable, plain, wellFormed } from './arbitraries.js'

const describeWithPython = describe.skipIf(!peer('python'))
const samples = 500

const fromSql = (data: unknown): unknown => (typeof data === 'bigint' ? fromBigInt(data) : data)
const sameBytes = (a: unknown, b: Buffer): boolean => Buffer.isBuffer(a) && a.equals(b)

describeWithPython('pickles that Python wrote', () => {
  const values: readonly (readonly [string, unknown])[] = [
    ['None', null],
    ['[True, False]', [true, false]],
    [
      '[0, 1, -1, 255, 256, 65535, 65536, -128, -129, 2**31-1, 2**31, -2**31-1]',
      [0, 1, -1, 255, 256, 65535, 65536, -128, -129, 2 ** 31 - 1, 2 ** 31, -(2 ** 31) - 1],
    ],
    [
      '[2**53-1, 2**53, -2**53, 2**63, -2**64, 10**700]',
      [2 ** 53 - 1, 2n ** 53n, -(2n ** 53n), 2n ** 63n, -(2n ** 64n), 10n ** 700n],
    ],
    [
      '[0.0, -0.0, 1.5, 1e300, 5e-324, float("inf"), -float("inf")]',
      [0, -0, 1.5, 1e300, 5e-324, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    ],
    ['float("nan")', Number.NaN],
    [`["", "a", "\\n\\\\u0041'", "é", "😀", "x" * 70000]`, ['', 'a', "\n\\u0041'", 'é', '😀', 'x'.repeat(70000)]],
    ['"a\\ud800b\\udfff"', 'a\ud800b\udfff'],
    [
      '[b"", b"abc", bytes(range(256)) * 300, bytearray(b"xy")]',
      [
        Buffer.alloc(0),
        Buffer.from('abc'),
        Buffer.concat(Array(300).fill(Buffer.from([...Array(256).keys()]))),
        Buffer.from('xy'),
      ],
    ],
    [
      '[(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1], list(range(2500))]',
      [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4], [], [1], [...Array(2500).keys()]],
    ],
    [
      '{"b": {"a": 1}, "__proto__": {}, "constructor": 2}',
      JSON.parse('{"b": {"a": 1}, "__proto__": {}, "constructor": 2}'),
    ],
    ['{str(n): n for n in range(2000)}', Object.fromEntries([...Array(2000).keys()].map(at => [String(at), at]))],
    [
      '{1: "a", "b": {(1, None): 2}, None: {}}',
      new Map<unknown, unknown>([
        [1, 'a'],
        ['b', new Map([[[1, null], 2]])],
        [null, {}],
      ]),
    ],
    [
      '[set(), {1, "a"}, frozenset([2]), {frozenset()}]',
      [new Set(), new Set([1, 'a']), new Set([2]), new Set([new Set()])],
    ],
    ['collections.OrderedDict([("b", 1), ("a", collections.OrderedDict())])', { b: 1, a: {} }],
    ['collections.OrderedDict([(1, 2)])', new Map([[1, 2]])],
    ['(lambda x: [x, x, [x]])([1])', [[1], [1], [[1]]]],
    ['datetime.date(2024, 12, 31)', '2024-12-31'],
    ['datetime.time(1, 2, 3)', '01:02:03'],
    ['datetime.time(1, 2, 3, 45, tzinfo=datetime.timezone.utc)', '01:02:03.000045+00:00'],
    ['datetime.datetime(2024, 1, 2, 3, 4, 5, 678)', '2024-01-02T03:04:05.000678'],
    ['datetime.datetime(2024, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)', '2024-01-02T03:04:05+00:00'],
    [
      'datetime.datetime(1, 1, 1, fold=1, tzinfo=datetime.timezone(datetime.timedelta(hours=-5, minutes=-30)))',
      '0001-01-01T00:00:00-05:30',
    ],
    [
      'datetime.datetime(9999, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(seconds=3661), "X"))',
      '9999-01-01T00:00:00+01:01:01',
    ],
    ['datetime.timedelta(days=-1, seconds=5, microseconds=250000)', -86394.75],
    ['decimal.Decimal("1.10")', '1.10'],
    ['(diskcache.core.ENOVAL,)', [{ constant: 'ENOVAL' }]],
  ]
  const protocols = [0, 1, 2, 3, 4, 5] as const
  const dumps = (expressions: readonly string[]): Promise<Buffer[][]> =>
    runPython(
      `
       import collections, datetime, decimal, pickletools
       scope = dict(globals(), **locals())
       values = [eval(expression, scope) for expression in expressions]
       return [[f(value, protocol) for protocol in range(6) for f in
         (pickle.dumps, lambda v, p: pickletools.optimize(pickle.dumps(v, p)))] for value in values]`,
      { expressions },
    )

  it('are read, whatever the protocol', async () => {
    const pickles = await dumps(values.map(([expression]) => expression))
    for (const [at, [expression, expected]] of values.entries()) {
      for (const [which, bytes] of (pickles[at] as Buffer[]).entries()) {
        // Protocols 0 and 1 write tuple subclasses with a function of copyreg, which is no data class.
        if (expression.includes('ENOVAL') && which < 4) continue
        const value = readPickle(bytes)
        expect(
          isDeepStrictEqual(value, expected),
          `${expression}, protocol ${protocols[which >> 1]}: ${String(value)}`,
        ).toBe(true)
      }
    }
  })

  it('are refused when they hold more than data', async () => {
    const expressions = [
      'int',
      'print',
      'object()',
      'range(3)',
      'complex(1, 2)',
      'types.SimpleNamespace(a=1)',
      'Exception("x")',
      'collections.Counter("ab")',
      'diskcache.Cache',
    ]
    const pickles = await dumps(expressions)
    for (const bytes of pickles.flat()) expect(() => readPickle(bytes)).toThrow('a pickle')
  })
})

describeWithPython('pickles that we wrote', () => {
  it('are what Python loads and dumps', async () => {
    const values = [
      ...fc.sample(picklable, samples),
      [...Array(2500).keys()],
      Object.fromEntries([...Array(1000).keys()].map(at => [`k${at}`, at])),
    ]
    const again = await runPython<Buffer[]>(`[pickle.dumps(pickle.loads(p), 5) for p in pickles]`, {
      pickles: values.map(writePickle),
    })
    for (const [at, value] of values.entries()) {
      expect(isDeepStrictEqual(readPickle(again[at] as Buffer), value), inspect(value, { depth: 9 })).toBe(true)
    }
  })

  it('have the types that Python should see', async () => {
    const value = {
      list: [1, 1.5, -0, 2n ** 70n],
      bytes: Buffer.from('x'),
      set: new Set([[1, [2]]]),
      map: new Map([[1, null]]),
      lone: '\ud800',
    }
    const shown = await runPython<string>('ascii(pickle.loads(pickled))', { pickled: writePickle(value) })
    expect(shown).toBe(
      "{'list': [1, 1.5, -0.0, 1180591620717411303424], 'bytes': b'x', 'set': {(1, (2,))}, 'map': {1: None}, 'lone': '\\ud800'}",
    )
  })

  it('keep text that a text file would not', async () => {
    const text = 'a\r\nb\rc\n'
    expect(await runPython('pickle.loads(pickled)', { pickled: encodeTextForFile(text).bytes })).toBe(text)
  })
})

/** Python's canonical form: no memo, so that the identity of equal parts does not show. */
const CANONICAL = `
import io, pickletools
def canonical(value):
    out = io.BytesIO()
    pickler = pickle.Pickler(out, 5)
    pickler.fast = True
    pickler.dump(value)
    return pickletools.optimize(out.getvalue())
`

describeWithPython('keys', () => {
  const large = [
    ['x'.repeat(65_530), 1, 2, 'y'.repeat(65_536), 3, ...Array(20_000).fill('chunk')],
    Object.fromEntries([...Array(1000).keys()].map(at => [`k${at}`, at])),
    Object.fromEntries([...Array(2001).keys()].map(at => [`k${at}`, at])),
    ['x'.repeat(65_531)],
    ['x'.repeat(65_532), null],
    [Buffer.alloc(100_000), Buffer.alloc(65_531), 1],
    ['é'.repeat(40_000), [2n ** 3000n]],
  ]
  const tested = [...fc.sample(keys, samples), ...large]

  it('are the pickles that Python makes of what it loads from them', async () => {
    const pickles = tested
      .map(encodeKey)
      .filter(({ raw }) => !raw)
      .map(({ data }) => data as Buffer)
    const theirs = await runPython<Buffer[]>(`${CANONICAL}\nreturn [canonical(pickle.loads(p)) for p in pickles]`, {
      pickles,
    })
    for (const [at, ours] of pickles.entries()) expect(sameBytes(theirs[at], ours)).toBe(true)
  })

  it('hash as DiskCache hashes them', async () => {
    const encoded = tested.map(encodeKey)
    const theirs = await runPython<number[]>(
      `
       class Stored(diskcache.core.Disk):
           def put(self, key):
               return (sqlite3.Binary(key) if type(key) is bytes else key), True
       disk = Stored('/nowhere', pickle_protocol=5)
       return [disk.hash(key) for key in stored]`,
      { stored: encoded.map(({ data }) => data) },
    )
    for (const [at, key] of encoded.entries()) expect(hashKey(key)).toBe(theirs[at])
  })

  it('go to the row and the shard that DiskCache gives to the same key', async () => {
    const pickles = tested.map(key => writePickle(key))
    const theirs = await runPython<[unknown, boolean, number][]>(
      `${CANONICAL}
def frozen(value):
    if type(value) is list:
        return tuple(map(frozen, value))
    if type(value) is dict:
        return {key: frozen(value[key]) for key in sorted(value)}
    return value
pickle.dumps = lambda value, protocol: canonical(value)
disk = diskcache.core.Disk('/nowhere', pickle_protocol=5)
answers = []
for pickled in pickles:
    key = frozen(pickle.loads(pickled))
    data, raw = disk.put(key)
    answers.append((data, raw, disk.hash(key)))
return answers`,
      { pickles },
    )
    for (const [at, key] of tested.entries()) {
      const [data, raw, hash] = theirs[at] as [unknown, boolean, number]
      const ours: EncodedKey = encodeKey(key)
      expect([ours.raw, hashKey(ours)]).toEqual([raw, hash])
      expect(Buffer.isBuffer(ours.data) ? sameBytes(data, ours.data) : fromSql(ours.data) === data).toBe(true)
    }
  })
})

describeWithPython('JSONDisk', () => {
  const tested = [
    ...fc.sample(plain, samples),
    ...fc.sample(wellFormed, samples),
    ...fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), samples),
    ['the quick brown fox '.repeat(500), [...Array(3000).keys()], { a: { b: [1.5, null, true, 'é😀'] } }],
  ].filter(value => !/\\ud[89a-f]/.test(JSON.stringify(value)))

  it.each([0, 1, 6, 9])('makes the same keys at level %s', async level => {
    const codec = jsonCodec.level(level)
    const theirs = await runPython<Buffer[]>(
      `
       disk = JSONDisk('/nowhere', compress_level=level, pickle_protocol=5)
       return [disk.put(json.loads(text))[0] for text in texts]`,
      // As Python's own text, for one of ours would hide our mistakes.
      { level, texts: tested.map(pythonText) },
    )
    for (const [at, key] of tested.entries()) {
      const { data, raw } = codec.encodeKey(key)
      expect(raw && sameBytes(theirs[at], data as Buffer), JSON.stringify(key)).toBe(true)
    }
  })

  it('reads our values, and we its', async () => {
    const values = [...tested, Number.NaN, [Number.NEGATIVE_INFINITY, -0], 2n ** 80n, 'lone \ud800']
    const encoded = values.map(value => jsonCodec.encodeValue(value))
    const theirs = await runPython<Buffer[]>(
      `
       disk = JSONDisk('/nowhere', min_file_size=1 << 30, pickle_protocol=5)
       return [disk.store(disk.fetch(1, None, data, False), False)[3] for data in stored]`,
      { stored: encoded.map(({ data }) => data) },
    )
    for (const [at, value] of values.entries()) {
      expect(isDeepStrictEqual(jsonCodec.decodeValue(1, theirs[at] as Buffer), value)).toBe(true)
    }
  })

  /** JSON that json.loads reads as the same ints and floats as we have. */
  function pythonText(value: unknown): string {
    return JSON.stringify(value, (_name, part: unknown) =>
      typeof part === 'number' && Number.isInteger(part) && (!Number.isSafeInteger(part) || Object.is(part, -0))
        ? `float:${Object.is(part, -0) ? '-0' : part}`
        : part,
    ).replace(/"float:(-?[\d.e+]+)"/g, (_match, digits: string) => (/[.e]/.test(digits) ? digits : `${digits}.0`))
  }
})
