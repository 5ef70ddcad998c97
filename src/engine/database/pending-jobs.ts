import type { KeyIdentity } from '../disk/keys.js'
import type { Job } from './job.js'

/** Which keys have writes that were called and are not yet committed, so that reads keep their place among them. */
export class PendingJobs {
  /** Counts, since jobs may be refused in any order: that of a later call leaves the earlier ones. */
  #jobs = new Map<KeyIdentity, number>()
  #count = 0
  #barriers = 0

  /** Nothing waits: the common case of a read, tested first. */
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

  /** Forgets a job that was added. */
  delete(job: Job): void {
    this.deleteAll([{ job }])
  }

  /**
   * Forgets jobs that were added. With the last one the map is replaced: a Map from which everything is deleted again
   * and again leaves its old tables to the next full garbage collection.
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
