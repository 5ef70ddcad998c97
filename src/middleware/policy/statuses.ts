/**
 * Statuses that are defined as fresh by a heuristic (RFC 9110 §15.1), except 206: parts need explicit freshness.
 */
const HEURISTIC: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])

/**
 * Final statuses whose rules for caching this cache knows (RFC 9110 §15, RFC 6585, RFC 7725), as `must-understand`
 * requires.
 */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  ...[200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 307, 308],
  ...[
    400, 401, 402, 403, 404, 405, 406, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 428, 429,
    431, 451,
  ],
  ...[500, 501, 502, 503, 504, 505, 511],
])

/** Failures that a stale answer may replace (RFC 5861 §4). */
const ERRORS: ReadonlySet<number> = new Set([500, 502, 503, 504])

export function isHeuristicallyCacheable(status: number): boolean {
  return HEURISTIC.has(status)
}

export function isUnderstood(status: number): boolean {
  return UNDERSTOOD.has(status)
}

export function isServerError(status: number): boolean {
  return ERRORS.has(status)
}
