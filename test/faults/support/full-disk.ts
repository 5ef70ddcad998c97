import { type CacheEvents, type DiskCache, DiskFullError } from 'fanout-cache'
import { expect } from 'vitest'
import type { Kind } from './caches.js'

export type Outcome = 'stored' | 'full'

/** Writes until the disk is full, and tells how each write ended: a Cache rejects, a FanoutCache refuses. */
export class FullDiskWriter {
  /** What was stored: the value by key. */
  readonly stored = new Map<string, string>()
  readonly #cache: DiskCache
  readonly #kind: Kind
  readonly #refused: CacheEvents['refused'][] = []

  constructor(kind: Kind, cache: DiskCache) {
    this.#kind = kind
    this.#cache = cache
    cache.on('refused', event => this.#refused.push(event))
  }

  async set(key: string, value: string): Promise<Outcome> {
    const outcome = await this.outcome(() => this.#cache.set(key, value), key)
    if (outcome === 'stored') this.stored.set(key, value)
    return outcome
  }

  /** How a write ended. Anything but success and a full disk is an error of the test. */
  async outcome(write: () => Promise<unknown>, key?: string): Promise<Outcome> {
    this.#refused.length = 0
    try {
      const result = await write()
      if (result !== false && result !== undefined) return 'stored'
    } catch (error) {
      if (this.#kind === 'Cache' && error instanceof DiskFullError) return 'full'
      throw error
    }
    expect(this.#kind, 'only a FanoutCache may answer false').toBe('FanoutCache')
    expect(this.#refused.map(({ reason }) => reason)).toContain('full')
    if (key !== undefined) expect(this.#refused.map(event => event.key)).toContain(key)
    for (const { error } of this.#refused) expect(error).toBeInstanceOf(DiskFullError)
    return 'full'
  }

  /** Writes entries of both kinds, those with files and those without, until neither finds room. */
  async fill(name: string): Promise<number> {
    let refused = 0
    for (const size of [64_000, 33_000, 8000, 400]) {
      let failures = 0
      // A few in a row: each shard has its own pages to use up.
      for (let index = 0; failures < 6 && index < 5000; index += 1) {
        const key = `${name}-${size}-${index}`
        if ((await this.set(key, `${key} `.repeat(size / 10).slice(0, size))) === 'full') failures += 1
        else failures = 0
      }
      expect(failures, `writes of ${size} bytes that found the disk full`).toBe(6)
      refused += failures
    }
    return refused
  }

  /** Every stored entry is there and whole. */
  async expectReadable(): Promise<void> {
    for (const [key, value] of this.stored) expect(await this.#cache.get(key), key).toBe(value)
  }
}
