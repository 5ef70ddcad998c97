import { countText } from '../units.js'
import type { ExaminedDatabase, Facts } from './facts.js'

/** `trouble`: data, time or answers are lost, now or soon. `advice`: could be better. `ok`: checked and good. */
export type Severity = 'trouble' | 'advice' | 'ok'

/** One finding of the doctor. */
export interface Advice {
  /** Identifies the kind of finding in scripts: `file-system`, `free-space`, … */
  readonly id: string
  readonly severity: Severity
  readonly what: string
  /** What to do. */
  readonly todo?: string
  /** The databases concerned, if not all: `.`, `003`, `cache/jobs`. */
  readonly where?: readonly string[]
}

/** Judges some of the facts. */
export type Judge = (facts: Facts) => readonly Advice[]

export function trouble(id: string, what: string, todo: string, where?: readonly string[]): Advice {
  return { id, severity: 'trouble', what, todo, where }
}

export function advice(id: string, what: string, todo: string, where?: readonly string[]): Advice {
  return { id, severity: 'advice', what, todo, where }
}

export function ok(id: string, what: string): Advice {
  return { id, severity: 'ok', what }
}

/** The databases whose rows could be read and pass a test. */
export function databasesWhere(
  { databases }: Facts,
  test: (rows: NonNullable<ExaminedDatabase['rows']>) => boolean,
): readonly ExaminedDatabase[] {
  return databases.filter(({ rows }) => rows && test(rows))
}

export function sumOf(databases: readonly ExaminedDatabase[], value: (database: ExaminedDatabase) => number): number {
  return databases.reduce((sum, database) => sum + value(database), 0)
}

/** Quotes a path for the shell. */
export function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}

/** `1 entry`, `2 entries`. */
export function counted(count: number, one: string, many: string): string {
  return `${countText(count)} ${count === 1 ? one : many}`
}
