import { keepShape } from '../kept-shapes.js'
import { performance, setImmediate } from '../timers.js'

/** How long the writers of a process may flush in one turn of the loop, but for the flush that is the first. */
const SLICE_MILLISECONDS = 1

/** The writers that wait for their turn, in the order in which they asked. */
const line: (() => void)[] = []
let turnBegan = 0

keepShape(setImmediate(() => undefined))

/**
 * Runs a flush in the check phase of the loop. When those before it have taken long, it comes in a later turn: pages of
 * a removal in eight shards would hold the loop together. Who has flushed queues behind all others. Databases that are
 * closed take turns with them.
 */
export function nextInLine(flush: () => void): void {
  line.push(flush)
  setImmediate(advance)
}

function advance(): void {
  if (turnBegan !== 0 && performance.now() - turnBegan > SLICE_MILLISECONDS) {
    setImmediate(advance)
    return
  }
  const flush = line.shift()
  // Nobody else asks within a check phase, so that a writer which is alone need not look at the clock.
  if (line.length > 0 && turnBegan === 0) {
    turnBegan = performance.now()
    setImmediate(endTurn)
  }
  flush?.()
}

function endTurn(): void {
  turnBegan = 0
}
