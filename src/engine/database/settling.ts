import type { Job } from './job.js'

interface Waiting {
  readonly left: Set<Job>
  readonly resolve: () => void
}

/**
 * Lets callers wait for earlier writes. Later writes do not delay them: under constant writing with slow files there
 * may never be a moment without one.
 */
export class Settling {
  readonly #waiting = new Set<Waiting>()
  /** Jobs that left the queue but are not over: their files are being removed, or they hold the writer exclusively. */
  readonly running: Set<Job> = new Set()

  /** Resolves when these jobs and the running ones are over. */
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
