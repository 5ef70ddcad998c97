import { describe, expect, it } from 'vitest'
import { jsonCodec } from '../../../src/engine/disk/json-codec.js'
import { MODE_BINARY, MODE_JSON, MODE_PICKLE, MODE_RAW, MODE_TEXT, MODE_V8 } from '../../../src/engine/disk/modes.js'
import { pickleCodec } from '../../../src/engine/disk/pickle-codec.js'
import { structuredCodec } from '../../../src/engine/disk/structured-codec.js'
import { encodeTextForFile } from '../../../src/engine/disk/text-file.js'
import { DecodeError } from '../../../src/engine/errors.js'

const map = new Map([[1, new Date(1)]])

describe.each([structuredCodec, pickleCodec, jsonCodec])('decodeValue() of the $name codec', codec => {
  it.each([
    ['text', MODE_RAW, 'text', 'text'],
    ['an INTEGER', MODE_RAW, 5n, 5],
    ['an INTEGER that was read as a number', MODE_RAW, 5, 5],
    ['a large INTEGER', MODE_RAW, 2n ** 62n, 2n ** 62n],
    ['a REAL', MODE_RAW, 5.5, 5.5],
    ['NULL, which Python made of NaN', MODE_RAW, null, null],
    ['bytes', MODE_RAW, Buffer.from([1, 2]), Buffer.from([1, 2])],
    ['a file of bytes', MODE_BINARY, Buffer.from('abc'), Buffer.from('abc')],
    [
      'a file of text, with its line ends and its byte order mark',
      MODE_TEXT,
      Buffer.from('\ufeffa\r\nb\rc'),
      '\ufeffa\r\nb\rc',
    ],
    ['a pickle', MODE_PICKLE, Buffer.from('80055d2e', 'hex'), []],
    ['JSON text', MODE_JSON, '{"a":[1,"é"]}', { a: [1, 'é'] }],
    ['a file of JSON', MODE_JSON, Buffer.from('{"a":[1,"é"]}'), { a: [1, 'é'] }],
    ['a structured clone', MODE_V8, structuredCodec.encodeValue(map).data, map],
  ])('reads %s by its mode', (_name, mode, data, value) => {
    expect(codec.decodeValue(mode, data)).toEqual(value)
  })

  it.each([
    ['a mode nobody knows', 7, 'x'],
    ['the unused mode', 0, 'x'],
    ['a pickle that is text', MODE_PICKLE, 'x'],
    ['a pickle that is NULL', MODE_PICKLE, null],
    ['a file of bytes that is a number', MODE_BINARY, 5n],
    ['text that is not UTF-8', MODE_TEXT, Buffer.from([0xff])],
    ['JSON that is none', MODE_JSON, '{'],
    ['JSON that is not UTF-8', MODE_JSON, Buffer.from([0x22, 0xff, 0x22])],
    ['JSON that is a number', MODE_JSON, 5n],
    ['a structured clone that is none', MODE_V8, Buffer.from('abc')],
    ['a structured clone that is text', MODE_V8, 'abc'],
  ])('throws a DecodeError for %s', (_name, mode, data) => {
    expect(() => codec.decodeValue(mode, data)).toThrow(DecodeError)
  })
})

describe('encodeTextForFile()', () => {
  it('stores text as UTF-8', () => {
    expect(encodeTextForFile('é\n😀')).toEqual({ mode: MODE_TEXT, bytes: Buffer.from('é\n😀') })
  })

  it.each(['a\r\nb', '\r', 'lone \ud800'])('pickles %j, which Python would not read exactly', text => {
    const { mode, bytes } = encodeTextForFile(text)
    expect(mode).toBe(MODE_PICKLE)
    expect(structuredCodec.decodeValue(mode, bytes)).toBe(text)
  })
})
