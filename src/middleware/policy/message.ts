/**
 * The fields of a message: one pair for each field line, in the order received, with names as written by the sender.
 * Names are compared without regard to case (RFC 9110 §5.1).
 */
export type Fields = readonly (readonly [name: string, value: string])[]

/** The parts of a request that the rules read. */
export interface RequestHead {
  /** As in the request line: methods are case-sensitive (RFC 9110 §9.1). */
  readonly method: string
  /** The target URI, absolute (RFC 9110 §7.1). */
  readonly url: string
  readonly fields: Fields
}

/** The parts of a response that the rules read. */
export interface ResponseHead {
  /** The status code. */
  readonly status: number
  /** The fields of the header. */
  readonly fields: Fields
}

/** A response with the instants from which its age is computed (RFC 9111 §4.2.3). Plain data. */
export interface StoredResponse extends ResponseHead {
  /** When the request for this response was made: epoch milliseconds. */
  readonly requestedAt: number
  /** When its head arrived: epoch milliseconds. */
  readonly receivedAt: number
  /** Set by a soft purge: stale from this instant on, whatever the fields say. Epoch milliseconds. */
  readonly staleSince?: number
}
