import { OP } from './opcodes.js'
import { encodeUtf8WithSurrogates } from './text.js'

const FRAME_HEADER = 9
const SMALLEST_FRAME = 4
const FRAME_TARGET = 64 * 1024
/** The protocol of the pickles written here. */
export const PROTOCOL = 5

/** Limit of the buffer that is kept for the next pickle, because allocating it took longer than filling it. */
const LARGEST_SPARE = 64 * 1024
let spare: Buffer | undefined

/** The output for scalars, tuples and dicts, of any protocol. */
export interface ScalarOutput {
  readonly protocol: number
  op(code: number): void
  opUInt8(code: number, value: number): void
  opUInt16(code: number, value: number): void
  opInt32(code: number, value: number): void
  opDouble(value: number): void
  boolean(value: boolean): void
  text(value: string): void
  bytes(value: Uint8Array): void
  /** Writes an integer given as little-endian two's complement of minimal length. */
  long(digits: Uint8Array): void
}

/**
 * Writes a pickle of protocol 5, with frames as CPython's pickler and `pickletools.optimize` make them: a frame ends at
 * the first opcode after 64 KiB, an opcode above 64 KiB is outside of frames, and less than 4 bytes have no header.
 */
export class PickleOutput implements ScalarOutput {
  readonly protocol: number = PROTOCOL
  readonly #limit: number
  #bytes: Buffer
  /** Where space for the header of the open frame is reserved. */
  #frame = 2
  #end = 2 + FRAME_HEADER

  /** @param limit the size in bytes above which a TypeError is thrown */
  constructor(limit: number) {
    this.#limit = limit
    // Taken, so that a pickle written by a getter during this one allocates its own.
    this.#bytes = spare ?? Buffer.allocUnsafeSlow(1024)
    spare = undefined
    this.#bytes[0] = OP.proto
    this.#bytes[1] = PROTOCOL
  }

  op(code: number): void {
    this.#begin(1)
    this.#bytes[this.#end++] = code
  }

  opUInt8(code: number, value: number): void {
    this.#begin(2)
    this.#bytes[this.#end++] = code
    this.#bytes[this.#end++] = value
  }

  opUInt16(code: number, value: number): void {
    this.#begin(3)
    this.#bytes[this.#end++] = code
    this.#end = this.#bytes.writeUInt16LE(value, this.#end)
  }

  opInt32(code: number, value: number): void {
    this.#begin(5)
    this.#bytes[this.#end++] = code
    this.#end = this.#bytes.writeInt32LE(value, this.#end)
  }

  opUInt32(code: number, value: number): void {
    this.#begin(5)
    this.#bytes[this.#end++] = code
    this.#end = this.#bytes.writeUInt32LE(value, this.#end)
  }

  opDouble(value: number): void {
    this.#begin(9)
    this.#bytes[this.#end++] = OP.binfloat
    this.#end = this.#bytes.writeDoubleBE(value, this.#end)
  }

  boolean(value: boolean): void {
    this.op(value ? OP.newTrue : OP.newFalse)
  }

  text(value: string): void {
    if (!value.isWellFormed()) {
      this.#sized(OP.shortBinunicode, OP.binunicode, OP.binunicode8, encodeUtf8WithSurrogates(value))
      return
    }
    const length = Buffer.byteLength(value, 'utf8')
    this.#header(OP.shortBinunicode, OP.binunicode, OP.binunicode8, length)
    this.#end += this.#bytes.write(value, this.#end, length === value.length ? 'latin1' : 'utf8')
    this.#endLarge(length)
  }

  bytes(value: Uint8Array): void {
    this.#sized(OP.shortBinbytes, OP.binbytes, OP.binbytes8, value)
  }

  long(digits: Uint8Array): void {
    this.#sized(OP.long1, OP.long4, OP.long4, digits)
  }

  finish(): Buffer {
    this.op(OP.stop)
    this.#commit()
    const pickle = Buffer.from(this.#bytes.subarray(0, this.#end - FRAME_HEADER))
    if (this.#bytes.length <= LARGEST_SPARE) spare = this.#bytes
    return pickle
  }

  #sized(short: number, long: number, huge: number, value: Uint8Array): void {
    this.#header(short, long, huge, value.length)
    this.#bytes.set(value, this.#end)
    this.#end += value.length
    this.#endLarge(value.length)
  }

  /** Writes the opcode and the length of the bytes that follow. */
  #header(short: number, long: number, huge: number, length: number): void {
    const prefix = prefixOf(length)
    this.#begin(prefix + length)
    const bytes = this.#bytes
    bytes[this.#end++] = prefix === 2 ? short : prefix === 5 ? long : huge
    if (prefix === 2) bytes[this.#end++] = length
    else if (prefix === 5) this.#end = bytes.writeUInt32LE(length, this.#end)
    else this.#end = bytes.writeBigUInt64LE(BigInt(length), this.#end)
  }

  #begin(size: number): void {
    const framed = this.#end - this.#frame - FRAME_HEADER
    if (framed >= FRAME_TARGET || size > FRAME_TARGET) this.#commit()
    // One byte more for STOP, and room for the header of the next frame.
    const wanted = this.#end + size + 1 + FRAME_HEADER
    if (wanted > this.#limit) throw new TypeError(`a pickle of more than ${this.#limit} bytes cannot be stored`)
    if (wanted > this.#bytes.length) this.#grow(wanted)
    if (size > FRAME_TARGET) this.#end = this.#frame
  }

  /** Opens a new frame after an opcode that is outside of all frames. */
  #endLarge(length: number): void {
    const prefix = prefixOf(length)
    if (prefix + length <= FRAME_TARGET) return
    this.#frame = this.#end
    this.#end += FRAME_HEADER
  }

  #commit(): void {
    const start = this.#frame + FRAME_HEADER
    const length = this.#end - start
    if (length >= SMALLEST_FRAME) {
      this.#bytes[this.#frame] = OP.frame
      this.#bytes.writeBigUInt64LE(BigInt(length), this.#frame + 1)
      this.#frame = this.#end
    } else {
      this.#bytes.copyWithin(this.#frame, start, this.#end)
      this.#frame += length
    }
    this.#end = this.#frame + FRAME_HEADER
  }

  #grow(wanted: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, this.#bytes.length * 2))
    larger.set(this.#bytes.subarray(0, this.#end))
    this.#bytes = larger
  }
}

/** Bytes of an opcode and of the length behind it. */
function prefixOf(length: number): 2 | 5 | 9 {
  if (length < 256) return 2
  return length <= 0xffff_ffff ? 5 : 9
}
