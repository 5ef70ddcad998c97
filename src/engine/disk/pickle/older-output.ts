import { integerFromBytes } from './integers.js'
import { OP } from './opcodes.js'
import type { ScalarOutput } from './output.js'

const LATIN1 = 'latin1'

/** Thrown when the protocol has no plain form for a value and would call a function. */
export class NoPlainForm extends Error {}

/** Writes a pickle of protocol 1, 2 or 3, without frames, as CPython's pickler and `pickletools.optimize` do. */
export class OlderOutput implements ScalarOutput {
  readonly protocol: number
  readonly #parts: Uint8Array[] = []

  constructor(protocol: number) {
    this.protocol = protocol
    if (protocol > 1) this.opUInt8(OP.proto, protocol)
  }

  op(code: number): void {
    this.#parts.push(Uint8Array.of(code))
  }

  opUInt8(code: number, value: number): void {
    this.#parts.push(Uint8Array.of(code, value))
  }

  opUInt16(code: number, value: number): void {
    this.#parts.push(Uint8Array.of(code, value & 0xff, value >> 8))
  }

  opInt32(code: number, value: number): void {
    const bytes = Buffer.alloc(5, code)
    bytes.writeInt32LE(value, 1)
    this.#parts.push(bytes)
  }

  opDouble(value: number): void {
    const bytes = Buffer.alloc(9, OP.binfloat)
    bytes.writeDoubleBE(value, 1)
    this.#parts.push(bytes)
  }

  boolean(value: boolean): void {
    if (this.protocol > 1) this.op(value ? OP.newTrue : OP.newFalse)
    else this.#parts.push(Buffer.from(value ? 'I01\n' : 'I00\n', LATIN1))
  }

  text(value: string): void {
    this.#sized(OP.binunicode, Buffer.from(value, 'utf8'))
  }

  /** @throws NoPlainForm below protocol 3 */
  bytes(value: Uint8Array): void {
    if (this.protocol < 3) throw new NoPlainForm()
    this.#shortOrSized(OP.shortBinbytes, OP.binbytes, value)
  }

  long(digits: Uint8Array): void {
    if (this.protocol > 1) this.#shortOrSized(OP.long1, OP.long4, digits)
    else this.#parts.push(Buffer.from(`L${integerFromBytes(Buffer.from(digits))}L\n`, LATIN1))
  }

  finish(): Buffer {
    this.op(OP.stop)
    return Buffer.concat(this.#parts)
  }

  #shortOrSized(short: number, long: number, bytes: Uint8Array): void {
    if (bytes.length > 0xff) return this.#sized(long, bytes)
    this.opUInt8(short, bytes.length)
    this.#parts.push(bytes)
  }

  #sized(code: number, bytes: Uint8Array): void {
    const header = Buffer.alloc(5, code)
    header.writeUInt32LE(bytes.length, 1)
    this.#parts.push(header, bytes)
  }
}
