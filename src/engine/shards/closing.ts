import { DiskCacheError } from '../errors.js'

/** What a shard waits for before it closes, and whom it tells. */
export class Closing {
  /** The shard was closed: who was still on the way opens nothing that nobody would close again. */
  isOver = false
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #listeners = new Set<() => void>()

  /** Something that needs the open database: closing waits for it. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work)
    const forget = (): boolean => this.#underWay.delete(work)
    work.then(forget, forget)
    return work
  }

  /** Calls back when closing begins, while writes are still taken. Answers how to take that back. */
  onBegin(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** @throws DiskCacheError when the shard in `directory` was closed */
  assertNotOver(directory: string): void {
    if (this.isOver) throw new DiskCacheError(`the cache in ${directory} was closed meanwhile`)
  }

  /** Ends when nothing that is tracked is under way any more. */
  async begin(): Promise<void> {
    for (const listener of [...this.#listeners]) listener()
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
  }
}
