/** What ends the copy of a stream early. */
export interface CopyBounds {
  /** The limit of its size. Bytes. */
  readonly limit: number
  readonly tooLong: (size: number) => Error
  readonly signal?: AbortSignal | undefined
}

/** A value file that no row names yet. */
export interface PendingFile {
  readonly temporary: string
  readonly size: number
  /** Relative name. Set when the file was moved to its place. */
  filename?: string
  /** Whether its bytes are on the disk, not only in the memory of the system. */
  synced?: boolean
}

/** A value file whose place was chosen before it is moved there. */
export type PlannedFile = PendingFile & { readonly filename: string }
