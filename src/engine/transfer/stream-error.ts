import { DiskCacheError } from '../errors.js'

/** A stream of `export` is broken or truncated at a line. */
export class StreamError extends DiskCacheError {
  override name = 'StreamError' as const
  override readonly code = 'ERR_CACHE_STREAM' as const
  /** The number of the line, counted from 1. */
  readonly line: number

  constructor(line: number, detail: string, options?: { readonly cause?: unknown }) {
    super(`line ${line} of the stream: ${detail}`, options)
    this.line = line
  }
}

/** A key exists already, with `onConflict: 'fail'`. */
export class ConflictError extends DiskCacheError {
  override name = 'ConflictError' as const
  override readonly code = 'ERR_CACHE_CONFLICT' as const
  readonly line: number

  constructor(line: number, key: string) {
    super(`line ${line} of the stream: the key ${key} is there already`)
    this.line = line
  }
}

/** The directory belongs to Python's JSONDisk, and another codec would not find its keys. */
export class CodecError extends Error {
  override name = 'CodecError'

  constructor(directory: string) {
    super(`${directory} is a directory of JSONDisk whose keys and values are JSON: import with --codec json`)
  }
}
