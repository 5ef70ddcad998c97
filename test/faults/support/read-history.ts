/**
 * What processes did with keys whose values are numbered: each write of a key gets the next number, so that its writes
 * are in order. An odd number of a key that is `removed` now and then says that this write removed it. Times are
 * microseconds on the monotonic clock that all processes of a host share.
 */
export interface Operation {
  readonly process: number
  readonly kind: 'read' | 'write'
  readonly key: string
  /** The number; `null` for a read that missed. */
  readonly value: number | null
  readonly called: number
  readonly returned: number
  /** Of a read: when the turn of the loop before that of the call began. What was finished then must be seen. */
  readonly since?: number
}

/** Sentences on the reads that nobody should have had. */
export function violations(history: readonly Operation[]): string[] {
  const found: string[] = []
  for (const [key, operations] of groupedBy(history, operation => operation.key)) {
    const writes = new Writes(operations.filter(({ kind }) => kind === 'write'))
    for (const [process, own] of groupedBy(operations, operation => operation.process)) {
      found.push(...violationsOf(own, writes).map(text => `process ${process}, ${key}: ${text}`))
    }
  }
  return found
}

function violationsOf(own: readonly Operation[], writes: Writes): string[] {
  const found: string[] = []
  // In the order of their calls: a process awaits one operation before the next.
  let seen = 0
  for (const { kind, value, called, returned, since } of own.toSorted((a, b) => a.called - b.called)) {
    if (kind === 'read') {
      const finished = writes.lastFinishedBefore(since ?? called)
      const least = Math.max(seen, finished)
      const told = value ?? writes.removalFrom(least, returned)
      if (told === undefined) found.push(`missed, though ${least} was there and nobody had removed it`)
      else if (told < seen) found.push(`read ${told} after it had seen ${seen}`)
      else if (told < finished) found.push(`read ${told}, though ${finished} was finished before`)
      else if (!writes.begunBefore(told, returned)) found.push(`read ${told} before it was written`)
      seen = Math.max(seen, told ?? 0)
    } else if (value !== null) {
      seen = Math.max(seen, value)
    }
  }
  return found
}

function groupedBy<K>(history: readonly Operation[], nameOf: (operation: Operation) => K): Map<K, Operation[]> {
  const groups = new Map<K, Operation[]>()
  for (const operation of history) {
    const group = groups.get(nameOf(operation))
    if (group) group.push(operation)
    else groups.set(nameOf(operation), [operation])
  }
  return groups
}

/** The writes of one key. */
class Writes {
  readonly #called = new Map<number, number>()
  /** By the time of their end, with the greatest number until then. */
  readonly #finished: { readonly at: number; readonly value: number }[] = []
  readonly #removals: number[]

  constructor(writes: readonly Operation[]) {
    let greatest = 0
    for (const { value, called, returned } of writes.toSorted((a, b) => a.returned - b.returned)) {
      greatest = Math.max(greatest, value ?? 0)
      this.#called.set(value ?? 0, called)
      this.#finished.push({ at: returned, value: greatest })
    }
    this.#removals = [...this.#called.keys()].filter(value => value % 2 === 1).sort((a, b) => a - b)
  }

  /** 0: none was. */
  lastFinishedBefore(time: number): number {
    let low = 0
    let high = this.#finished.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#finished[middle]?.at ?? 0) < time) low = middle + 1
      else high = middle
    }
    return this.#finished[low - 1]?.value ?? 0
  }

  begunBefore(value: number, time: number): boolean {
    return value === 0 || (this.#called.get(value) ?? Number.POSITIVE_INFINITY) <= time
  }

  /** The first removal, from a number on, that had begun by then; 0 where nothing was ever there. */
  removalFrom(least: number, time: number): number | undefined {
    if (least === 0) return 0
    return this.#removals.find(value => value >= least && this.begunBefore(value, time))
  }
}
