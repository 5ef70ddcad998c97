/*
 * Where more processes want to run than there are processors, the system interrupts each when its time is over. One in
 * two interruptions of a busy writer met it in a transaction: everybody else then waits for a lock whose holder sleeps.
 * So a process that has met such locks gives its time back between two transactions, before it is taken. That is done
 * where a directory is kept up.
 */

/** How long after the last lock that was met it goes on. Milliseconds. */
const CROWDED_MILLISECONDS = 1000
/** A rest after this time, which is less than systems give at once, and up to this time where nobody waits for it. */
const SHORTEST_TURN = 1
const LONGEST_TURN = 8
/** A nap as short as the system can make it: it ends when those who waited have had their turn. */
const NAP_MILLISECONDS = 0.02
/** A nap that took longer let others run. */
const LONG_NAP = 0.5

const cell = new Int32Array(new SharedArrayBuffer(4))
let metAt = Number.NEGATIVE_INFINITY
let restedAt = 0
let turn = SHORTEST_TURN
let planned = false

/** A lock was held by somebody else, for longer than most commits take. */
export function lockWasMet(): void {
  metAt = performance.now()
}

/** After a commit: rests soon, when those have gone on who waited for it. */
export function giveWay(): void {
  const now = performance.now()
  if (planned || now - metAt > CROWDED_MILLISECONDS || now - restedAt < turn) return
  planned = true
  setImmediate(rest)
}

function rest(): void {
  planned = false
  const from = performance.now()
  Atomics.wait(cell, 0, 0, NAP_MILLISECONDS)
  restedAt = performance.now()
  turn = restedAt - from > LONG_NAP ? SHORTEST_TURN : Math.min(LONGEST_TURN, turn * 2)
}
