import type { KeyIdentity } from '../disk/keys.js'
import type { Job } from './job.js'

/** The keys with writes that are not committed yet, so that reads keep their order with them. */
export class PendingJobs {
  /** The number of jobs by key, since jobs may be refused in any order. */
  #jobs = new Map<KeyIdentity, number>()
  #count = 0
  #barriers = 0

  /** Whether nothing is pending, which is the common case of a read. */
  get empty(): boolean {
    return this.#count === 0 && this.#barriers === 0
  }

  add({ work: { identity, barrier } }: Job): void {
    if (identity !== undefined) {
      this.#count++
      this.#jobs.set(identity, (this.#jobs.get(identity) ?? 0) + 1)
    } else if (barrier) {
      this.#barriers++
    }
  }

  /**
   * Removes a job. After the last one the Map is replaced, because a Map that is emptied again and again leaves its old
   * tables to the next full garbage collection.
   */
  delete({ work: { identity, barrier } }: Job): void {
    if (identity !== undefined) {
      if (--this.#count === 0) this.#jobs = new Map()
      else this.#forget(identity)
    } else if (barrier) {
      this.#barriers--
    }
  }

  has(identity: KeyIdentity): boolean {
    return this.#barriers > 0 || this.#jobs.has(identity)
  }

  #forget(identity: KeyIdentity): void {
    const left = (this.#jobs.get(identity) ?? 0) - 1
    if (left > 0) this.#jobs.set(identity, left)
    else this.#jobs.delete(identity)
  }
}
