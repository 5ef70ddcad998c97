/** What ends the copy of a stream early. */
export interface CopyBounds {
  /** The limit of its size. Bytes. */
  readonly limit: number
  readonly tooLong: (size: number) => Error
  readonly signal?: AbortSignal | undefined
  readonly withRoom: WithRoom
}

/** What one write adds to a file. Bytes. */
export interface Growth {
  readonly length: number
  /** The size of the file before. */
  readonly before: number
}

/** Runs a write, again when it finds the disk full and room was made. */
export type WithRoom = <T>(growth: Growth, write: () => Promise<T>) => Promise<T>

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
