import { nextInLine } from '../database/flush-line.js'
import { DiskCacheError } from '../errors.js'

/** Registers work over several turns of the loop in several shards, so that closing waits for it. */
export function trackInAll<T>(shards: readonly { readonly closing: Closing }[], work: Promise<T>): Promise<T> {
  for (const { closing } of shards) closing.track(work)
  return work
}

/** Tracks the work that a shard waits for before it closes, and the listeners of closing. */
export class Closing {
  /** Whether the shard was closed. Late reads must then open nothing, since nobody would close it. */
  isOver = false
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #listeners = new Set<() => void>()

  /** Registers work that needs the open database. Closing waits for it. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work)
    const forget = (): boolean => this.#underWay.delete(work)
    work.then(forget, forget)
    return work
  }

  /** Calls a listener when closing begins, while writes are still accepted. Returns a function that removes it. */
  onBegin(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** @throws DiskCacheError when the shard in `directory` was closed */
  assertNotOver(directory: string): void {
    if (this.isOver) throw new DiskCacheError(`the cache in ${directory} was closed meanwhile`)
  }

  /** Begins closing. Resolves when no tracked work is under way any more. */
  async begin(): Promise<void> {
    for (const listener of [...this.#listeners]) listener()
    // The close of a database syncs its log: a hundred that are closed together would hold the loop for a second.
    await new Promise<void>(nextInLine)
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
  }
}
