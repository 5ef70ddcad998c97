/**
 * The fields of a message: one pair for each field line, in the order they came, with names as they were written.
 * Names are compared without regard to case (RFC 9110 §5.1).
 */
export type Fields = readonly (readonly [name: string, value: string])[]

/** What the rules look at in a request. */
export interface RequestHead {
  /** As in the request line: methods are case-sensitive (RFC 9110 §9.1). */
  readonly method: string
  /** The target URI, absolute (RFC 9110 §7.1). */
  readonly url: string
  readonly fields: Fields
}

/** What the rules look at in a response. */
export interface ResponseHead {
  readonly status: number
  readonly fields: Fields
}

/** A response together with the instants that its age is computed from (RFC 9111 §4.2.3). Plain data. */
export interface StoredResponse extends ResponseHead {
  /** When the request was made that this is the answer of: epoch milliseconds. */
  readonly requestedAt: number
  /** When its head arrived: epoch milliseconds. */
  readonly receivedAt: number
  /** Soft purge: counts as stale from here on, whatever its fields say. Epoch milliseconds. */
  readonly staleSince?: number
}
