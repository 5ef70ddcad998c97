import { Transform, type TransformCallback } from 'node:stream'
import { describeKind } from './describe.js'

/** A transform stream that counts bytes. It fails at chunks that cannot be stored as bytes, and beyond a limit. */
export class ByteMeter extends Transform {
  /** Bytes so far. */
  size = 0
  readonly #limit: number
  readonly #tooLong: (size: number) => Error

  constructor(limit: number, tooLong: (size: number) => Error) {
    // In object mode: objects piped into a stream of bytes would end the process instead of the pipeline.
    super({ writableObjectMode: true, writableHighWaterMark: 2 })
    this.#limit = limit
    this.#tooLong = tooLong
  }

  override _transform(chunk: unknown, _encoding: BufferEncoding, done: TransformCallback): void {
    const bytes = bytesOf(chunk)
    if (!bytes) return done(new TypeError(`expected a stream to give bytes or text, got ${describeKind(chunk)}`))
    this.size += bytes.byteLength
    if (this.size > this.#limit) return done(this.#tooLong(this.size))
    done(null, bytes)
  }
}

function bytesOf(chunk: unknown): Uint8Array | undefined {
  if (typeof chunk === 'string') return Buffer.from(chunk)
  if (chunk instanceof Uint8Array) return chunk
  return ArrayBuffer.isView(chunk) ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : undefined
}
