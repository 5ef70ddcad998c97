import { DecodeError } from '../../errors.js'
import { ownBytes } from '../copy-buffers.js'
import { fromBigInt, integerFromBytes, parseInteger } from './integers.js'
import type { Instruction, PickleMachine } from './machine.js'
import { OP } from './opcodes.js'
import { asciiText, decodeQuoted, decodeRawUnicodeEscape } from './text.js'

const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

/** The opcodes that push one value without parts. */
export const SCALARS: readonly (readonly [number, Instruction])[] = [
  [OP.none, machine => machine.push(null)],
  [OP.newTrue, machine => machine.push(true)],
  [OP.newFalse, machine => machine.push(false)],
  [OP.int, machine => machine.push(parseInt0(machine.line()))],
  [OP.binint, machine => machine.push(machine.int32())],
  [OP.binint1, machine => machine.push(machine.uint8())],
  [OP.binint2, machine => machine.push(machine.uint16())],
  [OP.long, machine => machine.push(parseInteger(machine.line().replace(/L$/, '')))],
  [OP.long1, machine => machine.push(fromBigInt(integerFromBytes(machine.bytes(machine.uint8()))))],
  [OP.long4, machine => machine.push(fromBigInt(integerFromBytes(machine.bytes(machine.uint32()))))],
  [OP.float, machine => machine.push(parseFloatLine(machine.line()))],
  [OP.binfloat, machine => machine.push(machine.double())],
  [OP.string, machine => machine.push(decodeQuoted(machine.line()))],
  [OP.binstring, machine => machine.push(asciiText(machine.bytes(machine.uint32()).toString('latin1')))],
  [OP.shortBinstring, machine => machine.push(asciiText(machine.bytes(machine.uint8()).toString('latin1')))],
  [OP.unicode, machine => machine.push(decodeRawUnicodeEscape(machine.line()))],
  [OP.shortBinunicode, machine => machine.push(machine.text(machine.uint8()))],
  [OP.binunicode, machine => machine.push(machine.text(machine.uint32()))],
  [OP.binunicode8, machine => machine.push(machine.text(machine.length64()))],
  [OP.shortBinbytes, machine => pushBytes(machine, machine.uint8())],
  [OP.binbytes, machine => pushBytes(machine, machine.uint32())],
  [OP.binbytes8, machine => pushBytes(machine, machine.length64())],
  [OP.bytearray8, machine => pushBytes(machine, machine.length64())],
]

function pushBytes(machine: PickleMachine, length: number): void {
  machine.push(ownBytes(machine.bytes(length)))
}

/** Parses an integer of protocols 0 and 1, which write booleans as the integers 00 and 01. */
function parseInt0(line: string): boolean | number | bigint {
  if (line === '00' || line === '01') return line === '01'
  return parseInteger(line)
}

function parseFloatLine(line: string): number {
  if (FLOAT.test(line)) return Number(line)
  if (line === 'nan' || line === '-nan') return Number.NaN
  if (line === 'inf') return Number.POSITIVE_INFINITY
  if (line === '-inf') return Number.NEGATIVE_INFINITY
  throw new DecodeError('a pickle holds a float that is none')
}
