import { performance, setImmediate } from '../timers.js'

/*
 * When more processes want to run than there are processors, the system interrupts each when its time slice is over.
 * Half of the interruptions of a busy writer hit it inside a transaction, and all others then wait for a lock whose
 * holder sleeps. So a process that has met such locks yields between two transactions, before it is interrupted. This
 * applies to directories with upkeep.
 */

/** How long a process keeps yielding after the last lock it met. Milliseconds. */
const CROWDED_MILLISECONDS = 1000
/** Bounds of the time between two rests: less than the time slice of systems, and longer when nobody waits for it. */
const SHORTEST_TURN = 1
const LONGEST_TURN = 8
/** The shortest nap of the system. It ends when the waiting processes have had their turn. */
const NAP_MILLISECONDS = 0.02
/** A nap that took longer than this let others run. */
const LONG_NAP = 0.5

const cell = new Int32Array(new SharedArrayBuffer(4))
let metAt = Number.NEGATIVE_INFINITY
let restedAt = 0
let turn = SHORTEST_TURN
let planned = false

/** Records that a lock was held by another process for longer than most commits take. */
export function lockWasMet(): void {
  metAt = performance.now()
}

/** Whether locks of other processes were met lately, as where more processes want to run than there are processors. */
export function isCrowded(): boolean {
  return performance.now() - metAt <= CROWDED_MILLISECONDS
}

/** Called after a commit. Schedules a rest, after the callers that waited for the commit have gone on. */
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
