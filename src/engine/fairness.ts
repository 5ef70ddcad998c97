/**
 * How long promises may follow each other without a turn of the loop. A loop of awaited reads never leaves the
 * microtask queue by itself, and 100,000 of them would starve every timer; a timer of 5 ms is late by this at most.
 */
const SLICE_MILLISECONDS = 1
/** The clock is read once in so many operations. */
const STRIDE = 8

let calls = 0
let turnBegan = 0

/** Whether this operation should resolve in a later turn of the loop. */
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

/** A rejection, in a later turn of the loop when this one is long: loops of calls that fail leave the queue as well. */
export function rejectInTurn(error: unknown): Promise<never> {
  if (!turnIsLong()) return Promise.reject(error)
  return nextTurn().then(() => {
    throw error
  })
}

/** Answers now, or in a later turn when this one is long: who tries again what was refused must let it come about. */
export function answerInTurn(answer: () => void): void {
  if (turnIsLong()) setImmediate(answer)
  else answer()
}

function endTurn(): void {
  turnBegan = 0
}
