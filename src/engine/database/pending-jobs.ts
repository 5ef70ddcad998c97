import type { KeyIdentity } from '../disk/keys.js'
import type { Job } from './job.js'

/** Which keys have writes that were called and are not yet committed, so that reads keep their place among them. */
export class PendingJobs {
  #last = new Map<KeyIdentity, Job>()
  /** Jobs with an identity that were added and not deleted. */
  #count = 0
  #barrier: Job | undefined

  /** Nothing waits: the common case of a read, tested first. */
  get empty(): boolean {
    return this.#count === 0 && this.#barrier === undefined
  }

  add(job: Job): void {
    const { identity, barrier } = job.work
    if (identity !== undefined) {
      this.#count++
      this.#last.set(identity, job)
    } else if (barrier) {
      this.#barrier = job
    }
  }

  /**
   * Forgets a job that was added. With the last one the map is replaced: a Map from which everything is deleted again
   * and again leaves its old tables to the next full garbage collection, with all the jobs that were in them.
   */
  delete(job: Job): void {
    const { identity } = job.work
    if (identity !== undefined) {
      if (--this.#count === 0) this.#last = new Map()
      else if (this.#last.get(identity) === job) this.#last.delete(identity)
    }
    if (this.#barrier === job) this.#barrier = undefined
  }

  has(identity: KeyIdentity): boolean {
    return this.#last.has(identity) || this.#barrier !== undefined
  }
}
