/** Limit of open files. More gain nothing with Node's four file threads, and soon reach the limit of the system. */
const MOST_AT_ONCE = 64

let open = 0
let waiting: (() => void)[] = []
/** Index of the first task that waits. */
let first = 0

/** Runs a task that opens and closes a file, when the number of open files permits it. First come, first served. */
export async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (open < MOST_AT_ONCE) open++
  else await new Promise<void>(resolve => waiting.push(resolve))
  return leaving(work)
}

/** Runs a task with a file that is open already. It does not wait, but counts. */
export function outOfTurn<T>(work: () => Promise<T>): Promise<T> {
  open++
  return leaving(work)
}

/** Whether a file that is opened now keeps to the limit. */
export function turnIsFree(): boolean {
  return open < MOST_AT_ONCE
}

async function leaving<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } finally {
    leave()
  }
}

function leave(): void {
  // The turn passes to the next task, unless files were opened out of turn meanwhile.
  const next = open > MOST_AT_ONCE ? undefined : waiting[first]
  if (!next) {
    open--
    return
  }
  first++
  if (first === waiting.length || first > 1024) {
    waiting = waiting.slice(first)
    first = 0
  }
  next()
}
