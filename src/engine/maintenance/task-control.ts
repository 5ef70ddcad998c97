import { isBusy } from '../database/busy.js'

/** How long SQLite waits for a lock by itself before the task looks whether it shall stop. */
export const LOCK_SLICE_MILLISECONDS = 50
const PAUSE_MILLISECONDS = 5
const TELL_EVERY_MILLISECONDS = 50

/** How far a task is, in steps: entries and files looked at, or bytes written. */
export interface TaskProgress {
  readonly done: number
  readonly total: number
}

/** The task was asked to stop, and has ended between two steps. */
export class StoppedError extends Error {
  override name = 'StoppedError'

  constructor() {
    super('the task was stopped')
  }
}

/** What a task in the maintenance thread knows of those who wait for it: whether they still do, and until when. */
export class TaskControl {
  /** Milliseconds that one step waits for locks. */
  readonly timeout: number
  readonly #stop: Int32Array | undefined
  readonly #tell: ((progress: TaskProgress) => void) | undefined
  #done = 0
  #total = 0
  #toldAt = Number.NEGATIVE_INFINITY

  constructor(timeout: number, stop?: Int32Array, tell?: (progress: TaskProgress) => void) {
    this.timeout = timeout
    this.#stop = stop
    this.#tell = tell
  }

  /** Whether somebody wants to know how far it is: counting the steps takes time, too. */
  get isWatched(): boolean {
    return this.#tell !== undefined
  }

  /** @throws StoppedError when nobody waits for the task any more */
  goOn(): void {
    if (this.#stop && Atomics.load(this.#stop, 0) !== 0) throw new StoppedError()
  }

  /** Runs a step, and again while somebody else holds the lock. Each step has the whole of `timeout`. */
  patiently<T>(step: () => T): T {
    const deadline = performance.now() + this.timeout
    for (;;) {
      this.goOn()
      try {
        return step()
      } catch (error) {
        if (!isBusy(error) || performance.now() >= deadline) throw error
        this.#tellNow()
        // SQLite answers some of these at once, whatever it was told to wait.
        if (this.#stop) Atomics.wait(this.#stop, 0, 0, PAUSE_MILLISECONDS)
      }
    }
  }

  expect(steps: number): void {
    this.#total += steps
  }

  advance(steps = 1): void {
    this.#done += steps
    if (!this.#tell) return
    const now = performance.now()
    if (now - this.#toldAt < TELL_EVERY_MILLISECONDS) return
    this.#tellNow(now)
  }

  #tellNow(now: number = performance.now()): void {
    this.#toldAt = now
    this.#tell?.({ done: Math.min(this.#done, this.#total), total: this.#total })
  }
}
