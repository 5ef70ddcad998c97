import { AsyncLocalStorage } from 'node:async_hooks'
import { oncePerProcess } from '../engine/for-adapters.js'
import type { DiskCache } from '../engine/index.js'

/** A value that an async context computes, and the one around it. */
interface Frame {
  readonly cache: DiskCache
  readonly key: string
  readonly outer: Frame | undefined
  isOver: boolean
}

const frames = oncePerProcess('computations', () => new AsyncLocalStorage<Frame | undefined>())

/**
 * The computation of one value. What it calls may ask for the same key, as a handler with `@CacheKey('cats')` does that
 * calls a method which keeps its result under `cats`. Such a call would wait for itself for ever.
 */
export class OwnComputation {
  readonly #frame: Frame

  constructor(cache: DiskCache, key: string) {
    this.#frame = { cache, key, outer: frames.getStore(), isOver: false }
  }

  /** Runs a function as a part of this computation, with all that it starts. */
  run<T>(action: () => T): T {
    return frames.run(this.#frame, action)
  }

  /** Ends it. What it has started and goes on, such as a timer, is no part of it any more. */
  end(): void {
    this.#frame.isOver = true
  }
}

/** Computes a value so that calls within know of it. */
export async function computeWithin<T>(cache: DiskCache, key: string, compute: () => T | Promise<T>): Promise<T> {
  const own = new OwnComputation(cache, key)
  try {
    return await own.run(compute)
  } finally {
    own.end()
  }
}

/** Whether a value is asked for by its own computation, which then has to compute it without the cache. */
export function isOwnComputation(cache: DiskCache, key: string): boolean {
  for (let frame = frames.getStore(); frame; frame = frame.outer) {
    if (!frame.isOver && frame.key === key && frame.cache === cache) return true
  }
  return false
}
