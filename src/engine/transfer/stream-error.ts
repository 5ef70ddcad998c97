import type { Codec } from '../disk/codec.js'
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

/** The directory is one of Python's JSONDisk, whose keys are found only as its codec writes them. */
export class CodecError extends Error {
  override name = 'CodecError'

  constructor(directory: string, there: Codec, given: Codec) {
    const levels =
      given.name === there.name
        ? 'with another disk_compress_level than import writes: import into a new directory'
        : 'whose keys and values are JSON: import with --codec json'
    super(`${directory} is a directory of JSONDisk ${levels}`)
  }
}
