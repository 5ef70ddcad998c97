import type { Job } from './job.js'

interface Waiting {
  readonly left: Set<Job>
  readonly resolve: () => void
}

/**
 * Who waits for the writes that were called before. Those called later hold nobody up: where somebody always writes, and
 * files take their time, there is no moment without one.
 */
export class Settling {
  readonly #waiting = new Set<Waiting>()
  /** Out of the queue, and not over: their files are being removed, or they have the writer for themselves. */
  readonly running: Set<Job> = new Set()

  /** Resolves when these jobs, and what runs now, are over. */
  wait(...jobs: readonly (readonly Job[])[]): Promise<void> {
    const left = new Set([...jobs.flat(), ...this.running])
    if (left.size === 0) return Promise.resolve()
    return new Promise(resolve => this.#waiting.add({ left, resolve }))
  }

  over(job: Job): void {
    if (this.running.size > 0) this.running.delete(job)
    if (this.#waiting.size === 0) return
    for (const waiting of this.#waiting) {
      if (!waiting.left.delete(job) || waiting.left.size > 0) continue
      this.#waiting.delete(waiting)
      waiting.resolve()
    }
  }
}
