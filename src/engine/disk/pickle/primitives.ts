import { types } from 'node:util'
import { integerToBytes } from './integers.js'
import { OP } from './opcodes.js'
import type { ScalarOutput } from './output.js'

/** CPython's pickler cuts containers into batches. */
export const BATCH = 1000

/** False when it is neither null, boolean, number, bigint, string nor bytes. */
export function writeScalar(out: ScalarOutput, value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      out.text(value)
      return true
    case 'number':
      writeNumber(out, value)
      return true
    case 'bigint':
      writeInteger(out, value)
      return true
    case 'boolean':
      out.boolean(value)
      return true
    default:
      if (value === null) out.op(OP.none)
      else if (types.isUint8Array(value)) out.bytes(value)
      else return false
      return true
  }
}

function writeNumber(out: ScalarOutput, value: number): void {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) out.opDouble(value)
  else if (value >= 0 && value <= 0xff) out.opUInt8(OP.binint1, value)
  else if (value >= 0 && value <= 0xffff) out.opUInt16(OP.binint2, value)
  else if (value === (value | 0)) out.opInt32(OP.binint, value)
  else out.long(integerToBytes(BigInt(value)))
}

function writeInteger(out: ScalarOutput, value: bigint): void {
  const small = Number(value)
  if (Number.isSafeInteger(small)) writeNumber(out, small)
  else out.long(integerToBytes(value))
}

/** MARK, up to a thousand items, the opcode that takes them; a single item goes without MARK. */
export function writeBatches(
  out: ScalarOutput,
  length: number,
  one: number,
  many: number,
  item: (at: number) => void,
): void {
  if (length === 1) {
    item(0)
    out.op(one)
    return
  }
  for (let from = 0; from < length; from += BATCH) {
    out.op(OP.mark)
    const end = Math.min(from + BATCH, length)
    for (let at = from; at < end; at++) item(at)
    out.op(many)
  }
}

/** As CPython does for dicts: a batch that is full is followed by another, were it an empty one. */
export function writeDictBatches(out: ScalarOutput, length: number, item: (at: number) => void): void {
  writeBatches(out, length, OP.setitem, OP.setitems, item)
  if (length > 0 && length % BATCH === 0) {
    out.op(OP.mark)
    out.op(OP.setitems)
  }
}

export function writeTuple(out: ScalarOutput, length: number, item: (at: number) => void): void {
  // Protocol 1 knows the empty one alone without a mark.
  const own = out.protocol > 1 || length === 0 ? [OP.emptyTuple, OP.tuple1, OP.tuple2, OP.tuple3][length] : undefined
  if (own === undefined) out.op(OP.mark)
  for (let at = 0; at < length; at++) item(at)
  out.op(own ?? OP.tuple)
}
