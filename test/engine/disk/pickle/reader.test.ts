import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readPickle } from '../../../../src/engine/disk/pickle/reader.js'
import { writePickle } from '../../../../src/engine/disk/pickle/writer.js'
import { DecodeError } from '../../../../src/engine/errors.js'

/** Pickles as `pickletools` prints them: bytes in Latin-1. */
const read = (text: string): unknown => readPickle(Buffer.from(text, 'latin1'))

describe('readPickle()', () => {
  it.each([
    // Protocol 0
    ['None', 'N.', null],
    ['True of protocol 0', 'I01\n.', true],
    ['False of protocol 0', 'I00\n.', false],
    ['an int', 'I-12\n.', -12],
    ['a long', 'L123456789012345678901234567890L\n.', 123456789012345678901234567890n],
    ['a float', 'F1.5\n.', 1.5],
    ['a float with an exponent', 'F1e+100\n.', 1e100],
    ['nan', 'Fnan\n.', Number.NaN],
    ['inf', 'Finf\n.', Number.POSITIVE_INFINITY],
    ['-inf', 'F-inf\n.', Number.NEGATIVE_INFINITY],
    ['a str', 'Vab\\u00e9\\U0001f600\xe9\n.', 'abé😀é'],
    ['a str of Python 2', "S'it\\'s \\x41\\n'\n.", "it's A\n"],
    ['a list', '(lp0\nI1\naI2\na.', [1, 2]],
    ['a tuple', '(I1\nI2\nt.', [1, 2]],
    ['a dict', '(dp0\nVa\nI1\ns.', { a: 1 }],
    ['a dict made at once', '(Va\nI1\nd.', { a: 1 }],
    ['a reference', '(lp0\n(lp1\nag1\na.', [[], []]],
    ['bytes of protocol 0', 'c_codecs\nencode\n(V\xe9a\nVlatin1\ntR.', Buffer.from([0xe9, 0x61])],
    ['no bytes of protocol 0', 'c__builtin__\nbytes\n(tR.', Buffer.alloc(0)],
    ['a set of protocol 2', '\x80\x02c__builtin__\nset\n]K\x01a\x85R.', new Set([1])],
    // Protocol 1 and above
    ['a str of Python 2 in binary', 'U\x03abc.', 'abc'],
    ['a longer str of Python 2 in binary', 'T\x03\0\0\0abc.', 'abc'],
    ['small ints', '(K\xffM\xff\xffJ\xff\xff\xff\xfft.', [255, 65535, -1]],
    ['no digits at all', '\x8a\0.', 0],
    ['a negative long', '\x8a\x02\x7f\xff.', -129],
    ['a long of many digits', `\x8b\x09\0\0\0${'\0'.repeat(8)}\x01.`, 2n ** 64n],
    ['bytes', 'C\x01\xffB\x01\0\0\0\xfe\x86.', [Buffer.from([255]), Buffer.from([254])]],
    ['bytes of eight bytes of length', '\x8e\x01\0\0\0\0\0\0\0\xff.', Buffer.from([255])],
    ['a bytearray', '\x96\x01\0\0\0\0\0\0\0\xff.', Buffer.from([255])],
    ['a str of eight bytes of length', '\x8d\x02\0\0\0\0\0\0\0\xc3\xa9.', 'é'],
    ['a str with surrogates', '\x8c\x07a\xed\xa0\x80\xc3\xa9z.', 'a\ud800éz'],
    ['a frozenset', '(K\x01\x91.', new Set([1])],
    [
      'a dict with other keys',
      '}(K\x01N\x8c\x01aNu.',
      new Map<unknown, null>([
        [1, null],
        ['a', null],
      ]),
    ],
    ['what is popped', 'K\x010(K\x011K\x02.', 2],
    ['a mark that is popped', 'K\x02(0.', 2],
    ['what is doubled', 'K\x012\x86.', [1, 1]],
    ['an OrderedDict', '\x8c\x0bcollections\x8c\x0bOrderedDict\x93)R(\x8c\x01bK\x01\x8c\x01aK\x02u.', { b: 1, a: 2 }],
    ['an OrderedDict of Python 2', 'ccollections\nOrderedDict\n((lp0\n(lp1\nVb\naI1\naatR.', { b: 1 }],
    ['ENOVAL', '\x8c\x0ediskcache.core\x8c\x08Constant\x93\x8c\x06ENOVAL\x85\x85\x81.', { constant: 'ENOVAL' }],
    ['what comes after the end', 'N.rest', null],
  ])('reads %s', (_name, text, value) => {
    expect(read(text)).toStrictEqual(value)
  })

  it('keeps cycles and what is one object, also where a dict turns out to be a Map', () => {
    // d = {}; d['me'] = [d]; d[1] = d
    const dict = read('}\x94(\x8c\x02me]h\0aK\x01h\0u.') as Map<unknown, unknown>
    expect(dict).toBeInstanceOf(Map)
    expect(dict.get(1)).toBe(dict)
    expect((dict.get('me') as unknown[])[0]).toBe(dict)
  })

  it('keeps a key named __proto__ one', () => {
    const value = read('}\x8c\x09__proto__}\x8c\x01xK\x01ss.') as { x?: unknown }
    expect(Object.keys(value)).toEqual(['__proto__'])
    expect(value.x).toBe(undefined)
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })

  it('gives bytes memory of their own', () => {
    const input = Buffer.from('C\x03abc.', 'latin1')
    const bytes = readPickle(input) as Buffer
    input.fill(0)
    expect(bytes).toEqual(Buffer.from('abc'))
    expect(bytes.buffer.byteLength).toBe(3)
  })
})

const system = 'cposix\nsystem\n(Vtouch /tmp/pwned\ntR.'

describe('readPickle() of what is no data', () => {
  it.each([
    ['GLOBAL', system, 'posix.system'],
    ['STACK_GLOBAL', '\x8c\x02os\x8c\x06system\x93.', 'os.system'],
    ['a builtin that is no data', 'c__builtin__\neval\n.', 'builtins.eval'],
    ['a name with dots', '\x8c\x0ediskcache.core\x8c\x0bos.path.sep\x93.', 'diskcache.core.os.path.sep'],
    ['a name that JavaScript has', '\x8c\x06Object\x8c\x0bconstructor\x93.', 'Object.constructor'],
    ['a class that is not called', '\x8c\x08builtins\x8c\x03set\x93.', 'builtins.set'],
    ['a class in a container', ']\x8c\x08builtins\x8c\x03set\x93a.', 'builtins.set'],
    ['INST', '(iposix\nsystem\n.', '0x69'],
    ['OBJ', '(N o.', '0x'],
    ['BUILD', '}}b.', '0x62'],
    ['NEWOBJ_EX', 'N)}\x92.', '0x92'],
    ['PERSID', 'Px\n.', '0x50'],
    ['BINPERSID', 'NQ.', '0x51'],
    ['EXT1', '\x82\x01.', '0x82'],
    ['NEXT_BUFFER', '\x97.', '0x97'],
    ['READONLY_BUFFER', 'N\x98.', '0x98'],
  ])('throws a DecodeError for %s', (_name, text, message) => {
    expect(() => read(text)).toThrow(DecodeError)
    expect(() => read(text)).toThrow(message)
  })

  it.each([
    ['nothing', ''],
    ['no end', 'N'],
    ['an end without value', '.'],
    ['a protocol of the future', '\x80\x06N.'],
    ['a frame longer than the input', '\x95\xff\0\0\0\0\0\0\0N.'],
    ['a length longer than the input', 'B\xff\xff\xff\x7fabc.'],
    ['a length of 64 bits', `\x8e${'\xff'.repeat(8)}abc.`],
    ['a line without end', 'I1'],
    ['an int that is none', 'I1x\n.'],
    ['an int with too many digits', `I${'1'.repeat(5000)}\n.`],
    ['a float that is none', 'F1_0\n.'],
    ['a string without quotes', 'Sabc\n.'],
    ['a string with a strange escape', "S'\\q'\n."],
    ['a string with a backslash at its end', "S'\\'\n."],
    ['a str of Python 2 that is not ASCII', 'U\x01\xe9.'],
    ['text that is not UTF-8', '\x8c\x01\xff.'],
    ['text with a broken surrogate', '\x8c\x03\xed\xa0A.'],
    ['a character beyond Unicode', 'V\\UFFFFFFFF\n.'],
    ['a mark that is missing', 'Nt.'],
    ['taking from below the mark', 'N(a.'],
    ['appending to no list', '}Na.'],
    ['setting an item of no dict', ']NNs.'],
    ['a key without value', '}(Nu.'],
    ['adding to no set', '](N\x90.'],
    ['a reference to nothing', 'h\0.'],
    ['a reference by no number', 'gx\n.'],
    ['calling no class', 'N)R.'],
    ['calling a class without a tuple', 'c__builtin__\nset\nNR.'],
    ['a class named by no text', 'NN\x93.'],
    ['a set of no list', 'c__builtin__\nset\nN\x85R.'],
    ['bytes of no text', 'c_codecs\nencode\nNN\x86R.'],
    ['bytes of wide text', 'c_codecs\nencode\nV\\u1234\nVlatin1\n\x86R.'],
    ['bytes in another encoding', 'c_codecs\nencode\nVa\nVrot13\n\x86R.'],
    ['an OrderedDict of no pairs', 'ccollections\nOrderedDict\n](N\x85e\x85R.'],
    ['a Constant without name', 'cdiskcache.core\nConstant\nN\x85R.'],
    ['a Decimal of no text', 'cdecimal\nDecimal\nN\x85R.'],
    ['a date of no bytes', 'cdatetime\ndate\nN\x85R.'],
    ['a timedelta of no numbers', 'cdatetime\ntimedelta\nN\x85R.'],
    ['a timezone of no timedelta', 'cdatetime\ntimezone\nN\x85R.'],
    ['a datetime with a strange zone', `cdatetime\ndatetime\nC\x0a${'\x01'.repeat(10)}N\x86\x85R.`],
  ])('throws a DecodeError for %s', (_name, text) => {
    expect(() => read(text)).toThrow(DecodeError)
  })

  it('throws a DecodeError for what is nested too deeply, however it was built', () => {
    const deep = `${']'.repeat(3000)}${'a'.repeat(2999)}.`
    const tuples = `N${'\x85'.repeat(3000)}.`
    // [l1, l2, …] where every l holds the next: the way through all of them is long although each is met early.
    const numbers = [...Array(1500).keys()]
    const memo = (at: number): string => `j${String.fromCharCode(at & 255, at >> 8)}\0\0`
    const chain = `${numbers.map(() => ']\x940').join('')}${numbers
      .slice(1)
      .map(at => `${memo(at - 1)}${memo(at)}a0`)
      .join('')}`
    for (const order of [numbers, numbers.toReversed()]) {
      expect(() => read(`${chain}](${order.map(memo).join('')}e.`)).toThrow(DecodeError)
    }
    for (const text of [deep, tuples]) expect(() => read(text)).toThrow(DecodeError)
  })

  it('bears long chains of short ways, cycles, and wide containers', () => {
    const wide = Array.from({ length: 5000 }, (_, at) => ({ at, list: [at] }))
    expect(readPickle(writePickle(wide))).toStrictEqual(wide)
    const rings = Array.from({ length: 2000 }, () => {
      const ring: unknown[] = []
      ring.push(ring)
      return ring
    })
    expect(readPickle(writePickle(rings))).toHaveLength(2000)
  })

  it('takes no memory out of proportion', () => {
    // One list of a thousand items, made into a thousand sets; one text, printed over and over.
    const list = `](${'N'.repeat(1000)}e\x940`
    const sets = `c__builtin__\nset\n\x94(${'h\x01h\0\x85R'.repeat(1000)}t.`
    expect(() => read(list + sets)).toThrow('again and again')
    const doubled = `]\x94${'h\0\x86\x94'.repeat(0)}${'2\x86'.repeat(60)}\x8c\x01a\x93.`
    expect(() => read(doubled)).toThrow(DecodeError)
  })
})

describe('readPickle() of anything', () => {
  const attempt = (bytes: Buffer): void => {
    try {
      readPickle(bytes)
    } catch (error) {
      expect(error).toBeInstanceOf(DecodeError)
      // A cause would be an error that no check of ours foresaw.
      expect((error as Error).cause).toBe(undefined)
    }
  }
  const opcodes =
    '(.012FGIJKLMNPQRSTUVXabcdeghilopqrstu}])\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96'
  const pieces = fc.constantFrom(
    ...opcodes,
    ...'\0\x01\x02\n',
    'c__builtin__\nset\n',
    'ccollections\nOrderedDict\n',
    'cdatetime\ndatetime\n',
    'C\x0a\x07\xe8\x01\x01\0\0\0\0\0\0',
    'I1\n',
    'Va\n',
    'h\0',
    '}\x94',
    ']\x94',
  )
  const seeds = [
    '}\x94(\x8c\x02me]h\0aK\x01h\0u.',
    "(lp0\nS'it\\'s \\x41\\n'\naL5L\naF1.5\na(Va\nI1\nda.",
    '\x8c\x0bcollections\x8c\x0bOrderedDict\x93)R(\x8c\x01bK\x01\x8c\x01aK\x02u.',
    'cdatetime\ndatetime\nC\x0a\x07\xe8\x01\x01\0\0\0\0\0\0cdatetime\ntimezone\ncdatetime\ntimedelta\n)R\x85R\x86R.',
  ].map(text => Buffer.from(text, 'latin1'))
  const valid = fc.oneof(
    fc.constantFrom(...seeds),
    fc.jsonValue().map(value => writePickle(value)),
    fc.constant(writePickle([new Map([[1, new Set([2n ** 70n])]]), Buffer.from('x'), 1.5, 'é\ud800'])),
  )

  it('throws nothing but DecodeError for random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => attempt(Buffer.from(bytes))),
      { numRuns: 3000 },
    )
  })

  it('throws nothing but DecodeError for random opcodes', () => {
    const text = fc.array(pieces, { maxLength: 40 }).map(list => `${list.join('')}.`)
    fc.assert(
      fc.property(text, program => attempt(Buffer.from(program, 'latin1'))),
      { numRuns: 5000 },
    )
  })

  it('throws nothing but DecodeError for tampered pickles', () => {
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 })
    fc.assert(
      fc.property(valid, edits, fc.nat(), (pickle, changes, cut) => {
        const bytes = Buffer.from(pickle)
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        attempt(bytes)
        attempt(bytes.subarray(0, cut % bytes.length))
      }),
      { numRuns: 3000 },
    )
  })
})
