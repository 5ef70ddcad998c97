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

  /** Removes a job. */
  delete(job: Job): void {
    this.deleteAll([{ job }])
  }

  /**
   * Removes jobs. After the last one the Map is replaced, because a Map that is emptied again and again leaves its old
   * tables to the next full garbage collection.
   */
  deleteAll(jobs: readonly { readonly job: Job }[]): void {
    let identified = 0
    for (const { job } of jobs) {
      if (job.work.identity !== undefined) identified++
      else if (job.work.barrier) this.#barriers--
    }
    if (identified === 0) return
    this.#count -= identified
    if (this.#count === 0) this.#jobs = new Map()
    else for (const { job } of jobs) this.#forget(job.work.identity)
  }

  has(identity: KeyIdentity): boolean {
    return this.#barriers > 0 || this.#jobs.has(identity)
  }

  #forget(identity: KeyIdentity | undefined): void {
    if (identity === undefined) return
    const left = (this.#jobs.get(identity) ?? 0) - 1
    if (left > 0) this.#jobs.set(identity, left)
    else this.#jobs.delete(identity)
  }
}
