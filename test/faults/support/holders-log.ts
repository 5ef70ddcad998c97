import { appendFileSync, readFileSync } from 'node:fs'
import { expect } from 'vitest'

/** What happened in a log of lock-worker.mjs, as it happened. */
export interface Happenings {
  /** Fencing numbers in the order of entering. */
  readonly fences: readonly number[]
  readonly written: readonly number[]
  /** The most who were inside at a time. */
  readonly most: number
  /** Holders that were killed inside. */
  readonly killedInside: number
}

/** The test writes down whom it has killed, so that the log has it in order. */
export function noteKill(path: string, pid: number): void {
  appendFileSync(path, `killed ${pid}\n`)
}

/** Whether a process has entered and not left. */
export function isInside(path: string, pid: number): boolean {
  const lines = readFileSync(path, 'utf8').split('\n')
  const last = lines.findLast(line => line.endsWith(` ${pid}`))
  return last !== undefined && /^(enter|write) /.test(last)
}

/** Plays a log through. Fails on a holder that writes or leaves without being inside, or that has lost its lease. */
export function replay(path: string): Happenings {
  const inside = new Map<number, number>()
  const fences: number[] = []
  const written: number[] = []
  let most = 0
  let killedInside = 0
  for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) {
    const [what, ...numbers] = line.split(' ')
    const [first = 0, second = 0] = numbers.map(Number)
    const pid = numbers.map(Number).at(-1) ?? 0
    if (what === 'enter') {
      inside.set(pid, first)
      fences.push(first)
      most = Math.max(most, inside.size)
    } else if (what === 'killed') {
      if (inside.delete(first)) killedInside += 1
    } else {
      expect(inside.get(pid), line).toBe(first)
      if (what === 'write') written.push(second)
      else if (what === 'leave') inside.delete(pid)
      else expect.fail(`a lease was lost: ${line}`)
    }
  }
  expect([...inside]).toEqual([])
  return { fences, written, most, killedInside }
}
