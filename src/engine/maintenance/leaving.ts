import { performance } from '../timers.js'

export function askToStop(stop: Int32Array): void {
  Atomics.store(stop, 0, 1)
  Atomics.notify(stop, 0)
}

/** How long an exiting process waits for its threads to stop. They wait for locks in shorter slices. Milliseconds. */
const LEAVING_MILLISECONDS = 250

/** The flags of the running threads. */
const working = new Set<Int32Array>()

/**
 * Asks threads to stop before the process exits. A thread that is terminated while a statement of SQLite fails aborts
 * the whole process (SIGABRT), because the driver creates an error where JavaScript cannot run any more.
 */
function leave(): void {
  const deadline = performance.now() + LEAVING_MILLISECONDS
  for (const stop of working) askToStop(stop)
  for (const stop of working) Atomics.wait(stop, 1, 0, Math.max(0, deadline - performance.now()))
}

/** Adds a thread that runs statements while its second flag is 0. */
export function enlist(stop: Int32Array): void {
  if (working.size === 0) process.on('exit', leave)
  working.add(stop)
}

export function discharge(stop: Int32Array): void {
  if (working.delete(stop) && working.size === 0) process.off('exit', leave)
}
