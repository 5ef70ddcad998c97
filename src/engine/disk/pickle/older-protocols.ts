import { types } from 'node:util'
import { integerToBytes } from './integers.js'
import { OP } from './opcodes.js'
import { BATCH } from './primitives.js'
import { readPickle } from './reader.js'

/** The protocol of `writeKeyPickle`. */
const OWN_PROTOCOL = 5
const LATIN1 = 'latin1'

/**
 * The canonical pickle of a key as `pickletools.optimize(pickle.dumps(key, protocol))` gives it, for directories whose
 * `disk_pickle_protocol` is not 5: those of Python before 3.8 have 4. Protocol 0, and bytes below protocol 3, are left
 * as they are: they would call functions.
 *
 * @param pickle of protocol 5, from `writeKeyPickle`
 */
export function inProtocol(pickle: Buffer, protocol: number): Buffer {
  if (protocol === OWN_PROTOCOL || pickle[0] !== OP.proto || pickle[1] !== OWN_PROTOCOL) return pickle
  if (protocol === 4) {
    const copy = Buffer.from(pickle)
    copy[1] = protocol
    return copy
  }
  if (protocol !== 1 && protocol !== 2 && protocol !== 3) return pickle
  const writer = new OlderWriter(protocol)
  if (!writer.write(readPickle(pickle))) return pickle
  return writer.finish()
}

class OlderWriter {
  readonly #protocol: number
  readonly #parts: Uint8Array[] = []

  constructor(protocol: number) {
    this.#protocol = protocol
    if (protocol > 1) this.#op(OP.proto, protocol)
  }

  finish(): Buffer {
    this.#op(OP.stop)
    return Buffer.concat(this.#parts)
  }

  /** False when the protocol has no plain form of it. */
  write(key: unknown): boolean {
    if (Array.isArray(key)) return this.#writeTuple(key)
    if (types.isUint8Array(key)) return this.#writeBytes(key)
    if (typeof key === 'object' && key !== null) return this.#writeDict(Object.entries(key))
    if (key === null) this.#op(OP.none)
    else if (typeof key === 'boolean') this.#writeBoolean(key)
    else if (typeof key === 'string') this.#sized(OP.binunicode, Buffer.from(key, 'utf8'))
    else this.#writeNumber(key as number | bigint)
    return true
  }

  #writeTuple(items: readonly unknown[]): boolean {
    const code = this.#protocol > 1 || items.length === 0 ? TUPLES[items.length] : undefined
    if (code === undefined) this.#op(OP.mark)
    for (const item of items) if (!this.write(item)) return false
    this.#op(code ?? OP.tuple)
    return true
  }

  /** As CPython does: a single entry without a mark, and a batch that is full is followed by another. */
  #writeDict(entries: readonly (readonly [string, unknown])[]): boolean {
    this.#op(OP.emptyDict)
    const [only] = entries
    if (only && entries.length === 1) return this.#writeEntries([only], OP.setitem)
    const batches = entries.length === 0 ? 0 : Math.floor(entries.length / BATCH) + 1
    for (let batch = 0; batch < batches; batch++) {
      this.#op(OP.mark)
      if (!this.#writeEntries(entries.slice(batch * BATCH, (batch + 1) * BATCH), OP.setitems)) return false
    }
    return true
  }

  #writeEntries(entries: readonly (readonly [string, unknown])[], code: number): boolean {
    for (const entry of entries) for (const part of entry) if (!this.write(part)) return false
    this.#op(code)
    return true
  }

  #writeBytes(bytes: Uint8Array): boolean {
    if (this.#protocol < 3) return false
    if (bytes.length < 256) {
      this.#op(OP.shortBinbytes, bytes.length)
      this.#parts.push(bytes)
    } else this.#sized(OP.binbytes, bytes)
    return true
  }

  #writeBoolean(value: boolean): void {
    if (this.#protocol > 1) this.#op(value ? OP.newTrue : OP.newFalse)
    else this.#parts.push(Buffer.from(value ? 'I01\n' : 'I00\n', LATIN1))
  }

  #writeNumber(value: number | bigint): void {
    const small = Number(value)
    if (typeof value === 'number' && (!Number.isSafeInteger(value) || Object.is(value, -0))) {
      const double = Buffer.alloc(9, OP.binfloat)
      double.writeDoubleBE(value, 1)
      this.#parts.push(double)
    } else if (small >= 0 && small <= 0xff) this.#op(OP.binint1, small)
    else if (small >= 0 && small <= 0xffff) this.#op(OP.binint2, small & 0xff, small >> 8)
    else if (small === (small | 0)) {
      const integer = Buffer.alloc(5, OP.binint)
      integer.writeInt32LE(small, 1)
      this.#parts.push(integer)
    } else this.#writeLong(BigInt(value))
  }

  #writeLong(value: bigint): void {
    if (this.#protocol < 2) {
      this.#parts.push(Buffer.from(`L${value}L\n`, LATIN1))
      return
    }
    const digits = integerToBytes(value)
    if (digits.length < 256) {
      this.#op(OP.long1, digits.length)
      this.#parts.push(digits)
    } else this.#sized(OP.long4, digits)
  }

  #sized(code: number, bytes: Uint8Array): void {
    const header = Buffer.alloc(5, code)
    header.writeUInt32LE(bytes.length, 1)
    this.#parts.push(header, bytes)
  }

  #op(...bytes: readonly number[]): void {
    this.#parts.push(Uint8Array.from(bytes))
  }
}

const TUPLES = [OP.emptyTuple, OP.tuple1, OP.tuple2, OP.tuple3]
