import type { BodySink } from './recorder.js'

/** Whether it is what a response can be written with. */
export function isChunk(chunk: unknown): chunk is string | Uint8Array {
  return typeof chunk === 'string' || chunk instanceof Uint8Array
}

/** The bytes of what a response is written with. */
export function toBuffer(chunk: string | Uint8Array, encoding: unknown): Buffer {
  if (typeof chunk === 'string') return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as 'utf8') : 'utf8')
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}

/** The last bytes, and that they are. */
export function finishSink(sink: Pick<BodySink, 'write' | 'end'>, bytes: Buffer | undefined): void {
  if (bytes && bytes.byteLength > 0) sink.write(bytes)
  sink.end()
}
