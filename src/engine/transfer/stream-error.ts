import { DiskCacheError } from '../errors.js'

/** A stream of `export` that is broken, or was cut off, at a line. */
export class StreamError extends DiskCacheError {
  override name = 'StreamError' as const
  override readonly code = 'ERR_CACHE_STREAM' as const
  /** Counted from 1. */
  readonly line: number

  constructor(line: number, detail: string, options?: { readonly cause?: unknown }) {
    super(`line ${line} of the stream: ${detail}`, options)
    this.line = line
  }
}

/** A key is there already, and was not to be. */
export class ConflictError extends DiskCacheError {
  override name = 'ConflictError' as const
  override readonly code = 'ERR_CACHE_CONFLICT' as const
  readonly line: number

  constructor(line: number, key: string) {
    super(`line ${line} of the stream: the key ${key} is there already`)
    this.line = line
  }
}
