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
  if (++calls % STRIDE !== 0) return false
  const now = performance.now()
  if (turnBegan === 0) {
    turnBegan = now
    setImmediate(endTurn)
    return false
  }
  return now - turnBegan > SLICE_MILLISECONDS
}

/** Resolves in the check phase of the loop. */
export function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

function endTurn(): void {
  turnBegan = 0
}
