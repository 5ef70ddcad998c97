import type { CacheHandle } from '../cache-handle.js'
import { DiskCacheError } from '../errors.js'
import type { Key } from '../options.js'

/** Emits an error that no caller gets, as `refused` or `error`. */
export function tellOf(handle: CacheHandle, error: unknown, key?: Key): void {
  if (error instanceof DiskCacheError && error.refusal !== undefined) handle.tellRefused(error, [key])
  else handle.failed(error instanceof Error ? error : new Error(String(error)))
}

/** Opens the cache of a door once for all requests that wait for it. */
export class Opening {
  readonly #handle: CacheHandle
  readonly #tell: (error: unknown) => void
  #opening: Promise<boolean> | undefined

  constructor(handle: CacheHandle, tell: (error: unknown) => void) {
    this.#handle = handle
    this.#tell = tell
  }

  /** Resolves to whether the cache is open, however long that takes. */
  opened(): Promise<boolean> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #open(): Promise<boolean> {
    try {
      await this.#handle.open()
      return true
    } catch (error) {
      this.#tell(error)
      return false
    }
  }
}
