import { systemCode } from '../file-errors.js'

/** Limit of open files. More gain nothing with Node's four file threads, and soon reach the limit of the system. */
const MOST_AT_ONCE = 64

/** The limit in force: lower while the process may have fewer files open. */
let most = MOST_AT_ONCE
let open = 0
let waiting: (() => void)[] = []
/** Index of the first task that waits. */
let first = 0

/**
 * Runs a task that opens and closes a file, when the number of open files permits it. First come, first served. Where
 * the process may have no more files open, the task runs again after others of its kind.
 */
export async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    if (open < most) open++
    else await new Promise<void>(resolve => waiting.push(resolve))
    try {
      return await work()
    } catch (error) {
      if (!isOutOfFiles(error) || open === 1) throw error
      most = Math.min(most, open - 1)
    } finally {
      leave()
    }
  }
}

/** Runs a task with a file that is open already. It does not wait, but counts. */
export async function outOfTurn<T>(work: () => Promise<T>): Promise<T> {
  open++
  try {
    return await work()
  } finally {
    leave()
  }
}

/** Whether a file that is opened now keeps to the limit. */
export function turnIsFree(): boolean {
  return open < most
}

function leave(): void {
  // The turn passes to the next task, unless files were opened out of turn meanwhile.
  const next = open > most ? undefined : waiting[first]
  if (!next) {
    open--
    if (open === 0) most = MOST_AT_ONCE
    return
  }
  first++
  if (first === waiting.length || first > 1024) {
    waiting = waiting.slice(first)
    first = 0
  }
  next()
}

/** Whether this process, or the system, may have no more files open. */
function isOutOfFiles(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'EMFILE' || code === 'ENFILE'
}
