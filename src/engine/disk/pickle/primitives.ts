import { types } from 'node:util'
import { integerToBytes } from './integers.js'
import { OP } from './opcodes.js'
import type { ScalarOutput } from './output.js'

/** The batch size in which CPython's pickler writes containers. */
const BATCH = 1000

/** Writes a scalar. Returns `false` when the value is neither null, boolean, number, bigint, string nor bytes. */
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

/**
 * Writes items in batches: MARK, up to a thousand items, and the opcode that adds them.
 *
 * @param one the opcode that adds a single item without a MARK, if there is one
 */
export function writeBatches(
  out: ScalarOutput,
  length: number,
  one: number | undefined,
  many: number,
  item: (at: number) => void,
): void {
  if (length === 1 && one !== undefined) {
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

/** Writes items of a dict in batches. As in CPython, another batch follows a full one even if it is empty. */
export function writeDictBatches(out: ScalarOutput, length: number, item: (at: number) => void): void {
  writeBatches(out, length, OP.setitem, OP.setitems, item)
  if (length > 0 && length % BATCH === 0) {
    out.op(OP.mark)
    out.op(OP.setitems)
  }
}

export function writeTuple(out: ScalarOutput, length: number, item: (at: number) => void): void {
  // In protocol 1 only the empty tuple has an opcode without a mark.
  const own = out.protocol > 1 || length === 0 ? [OP.emptyTuple, OP.tuple1, OP.tuple2, OP.tuple3][length] : undefined
  if (own === undefined) out.op(OP.mark)
  for (let at = 0; at < length; at++) item(at)
  out.op(own ?? OP.tuple)
}
