import type { KeyIdentity } from '../disk/keys.js'
import type { Job } from './job.js'

/** Which keys have writes that were called and are not yet committed, so that reads keep their place among them. */
export class PendingJobs {
  readonly #last = new Map<KeyIdentity, Job>()
  #barrier: Job | undefined

  /** Nothing waits: the common case of a read, tested first. */
  get empty(): boolean {
    return this.#last.size === 0 && this.#barrier === undefined
  }

  add(job: Job): void {
    const { identity, barrier } = job.work
    if (identity !== undefined) this.#last.set(identity, job)
    else if (barrier) this.#barrier = job
  }

  delete(job: Job): void {
    const { identity } = job.work
    if (identity !== undefined && this.#last.get(identity) === job) this.#last.delete(identity)
    if (this.#barrier === job) this.#barrier = undefined
  }

  has(identity: KeyIdentity): boolean {
    return this.#last.has(identity) || this.#barrier !== undefined
  }
}
