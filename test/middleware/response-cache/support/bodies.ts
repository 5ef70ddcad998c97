import { createHash } from 'node:crypto'

/** A body in chunks that differ from their neighbours. */
export function* chunksOf(count: number, size: number): Generator<Buffer> {
  for (let at = 0; at < count; at++) yield Buffer.alloc(size, String.fromCharCode(97 + (at % 26)))
}

/** The hash of a body, whole or in chunks. */
export function digest(body: Buffer | Iterable<Buffer>): string {
  const hash = createHash('sha256')
  for (const chunk of Buffer.isBuffer(body) ? [body] : body) hash.update(chunk)
  return hash.digest('hex')
}
