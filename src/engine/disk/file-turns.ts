/** More at once gain nothing, as Node has four threads for files, and soon reach what a system lets a process open. */
const MOST_AT_ONCE = 64

let open = 0
let waiting: (() => void)[] = []
/** Those before it have had their turn. */
let first = 0

/** Runs what opens a file and closes it again, when fewer than so many others do. First come, first served. */
export async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (open < MOST_AT_ONCE) open++
  else await new Promise<void>(resolve => waiting.push(resolve))
  return leaving(work)
}

/** The same for a file that has been opened already. */
export function outOfTurn<T>(work: () => Promise<T>): Promise<T> {
  open++
  return leaving(work)
}

async function leaving<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } finally {
    leave()
  }
}

function leave(): void {
  // The turn is handed on, unless files were opened out of turn meanwhile.
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
