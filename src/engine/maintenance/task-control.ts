import { isBusy } from '../database/sqlite-errors.js'
import { performance } from '../timers.js'

/** How long SQLite waits for a lock before the task checks whether it should stop. */
export const LOCK_SLICE_MILLISECONDS = 50
const PAUSE_MILLISECONDS = 5
const TELL_EVERY_MILLISECONDS = 50

/** The progress of a task in steps: entries and files examined, or bytes written. */
export interface TaskProgress {
  readonly done: number
  readonly total: number
}

/** Thrown when a task was asked to stop and has ended between two steps. */
export class StoppedError extends Error {
  override name = 'StoppedError'

  constructor() {
    super('the task was stopped')
  }
}

/** The control of a task in the maintenance thread: whether it should stop, and how long it may wait for locks. */
export class TaskControl {
  /** The longest wait of one step for locks. Milliseconds. */
  readonly timeout: number
  readonly #stop: Int32Array
  readonly #tell: ((progress: TaskProgress) => void) | undefined
  #done = 0
  #total = 0
  #toldAt = Number.NEGATIVE_INFINITY

  constructor(timeout: number, stop: Int32Array, tell?: (progress: TaskProgress) => void) {
    this.timeout = timeout
    this.#stop = stop
    this.#tell = tell
  }

  /** Whether somebody wants the progress. Counting the steps takes time. */
  get isWatched(): boolean {
    return this.#tell !== undefined
  }

  /** Checks whether to go on. @throws StoppedError when nobody waits for the task any more */
  goOn(): void {
    if (Atomics.load(this.#stop, 0) !== 0) throw new StoppedError()
  }

  /** Runs a step and retries it while somebody else holds the lock. Each step may wait for the whole `timeout`. */
  patiently<T>(step: () => T): T {
    const deadline = performance.now() + this.timeout
    for (;;) {
      this.goOn()
      try {
        return step()
      } catch (error) {
        if (!isBusy(error) || performance.now() >= deadline) throw error
        this.#tellNow()
        // SQLite reports some locks at once, whatever its timeout.
        Atomics.wait(this.#stop, 0, 0, PAUSE_MILLISECONDS)
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
