import { performance, setImmediate } from './timers.js'

/**
 * How long microtasks may run without a turn of the event loop. A loop of awaited reads never leaves the microtask
 * queue by itself, and 100,000 of them would starve every timer. A timer is late by this at most.
 */
const SLICE_MILLISECONDS = 1
/** The clock is read once per this many operations. */
const STRIDE = 8

let calls = 0
let turnBegan = 0

/** Whether the present turn has lasted so long that this operation should resolve in a later one. */
export function turnIsLong(): boolean {
  return ++calls % STRIDE === 0 && !turnHasTime()
}

/** Whether promises may go on following each other in this turn of the loop. */
export function turnHasTime(): boolean {
  const now = performance.now()
  if (turnBegan === 0) {
    turnBegan = now
    setImmediate(endTurn)
  }
  return now - turnBegan <= SLICE_MILLISECONDS
}

/** Resolves in the check phase of the loop. */
export function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** Rejects now, or in a later turn when this one is long, because loops of failing calls must give way as well. */
export function rejectInTurn(error: unknown): Promise<never> {
  if (!turnIsLong()) return Promise.reject(error)
  return nextTurn().then(() => {
    throw error
  })
}

/** Runs `answer` now, or in a later turn when this one is long, because loops that retry must give way as well. */
export function answerInTurn(answer: () => void): void {
  if (turnIsLong()) setImmediate(answer)
  else answer()
}

function endTurn(): void {
  turnBegan = 0
}
