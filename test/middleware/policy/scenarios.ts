import { expect, it } from 'vitest'
import { fieldLines } from '../../../src/middleware/policy/fields.js'
import type { PolicyOptions } from '../../../src/middleware/policy/options.js'
import { CacheSimulator, type Exchange, type Outcome } from './cache-simulator.js'
import { fieldsOf } from './messages.js'

/** An exchange, and what is expected of it. */
export interface Step extends Exchange {
  /** Who answers and with what: `cache 200`. */
  is: `${Outcome['by']} ${number}`
  body?: string
  /** Lines of fields that the answer has; `Name` alone: that it has not. */
  has?: readonly string[]
  /** Lines that the origin is asked with; `Name` alone: without. */
  asks?: readonly string[]
}

export type Scenario = readonly [title: string, steps: readonly Step[], options?: PolicyOptions]

/** Runs each scenario in a cache of its own. */
export function scenarios(table: readonly Scenario[]): void {
  for (const [title, steps, options] of table) it(title, () => run(steps, options))
}

function run(steps: readonly Step[], options?: PolicyOptions): void {
  const cache = new CacheSimulator(options)
  for (const [at, step] of steps.entries()) {
    const outcome = cache.run(step)
    const place = `step ${at + 1}`
    expect(`${outcome.by} ${outcome.status}`, place).toBe(step.is)
    if (step.body !== undefined) expect(outcome.body, place).toBe(step.body)
    for (const line of step.has ?? []) expectLine(outcome.fields, line, place)
    for (const line of step.asks ?? []) expectLine(outcome.forwarded ?? [], line, place)
  }
}

function expectLine(fields: Outcome['fields'], line: string, place: string): void {
  const [[name, value] = ['', '']] = fieldsOf([line.includes(':') ? line : `${line}:`])
  const lines = fieldLines(fields, name)
  if (line.includes(':')) expect(lines, `${place}: ${name}`).toContain(value)
  else expect(lines, `${place}: ${name}`).toEqual([])
}

/** A response, by its lines. */
export function reply(...lines: readonly string[]): { lines: readonly string[] } {
  return { lines }
}
