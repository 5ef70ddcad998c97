import type { Followed } from './detour.js'

/** Who gets the body of an answer, beside the client. */
export interface BodySink {
  write(chunk: Buffer): void
  /** Whether it keeps up with what is written. If not, `onRoom` is called when it does, or when it has given up. */
  hasRoom?(onRoom: () => void): boolean
  /** The body is complete as far as the handler is concerned. */
  end(): void
  /** The body ended before its end. */
  abort(): void
  /** Gives the client the rest of the body at its own pace, when the handler is not to wait for it. */
  follow?(onRoom: () => void): Followed | undefined
}

/** Gives an answer to nobody but the client. */
export const NOWHERE: BodySink = { write: () => undefined, end: () => undefined, abort: () => undefined }
