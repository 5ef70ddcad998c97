import { expect } from 'vitest'

/**
 * Bytes that are equal are compared at once. Vitest looks at one after the other, which takes a second for 200,000; what
 * differs is left to it, for its message.
 */
expect.addEqualityTesters([
  (a: unknown, b: unknown) => {
    if (!(a instanceof Uint8Array && b instanceof Uint8Array) || a.constructor !== b.constructor) return undefined
    return Buffer.compare(a, b) === 0 ? true : undefined
  },
])
