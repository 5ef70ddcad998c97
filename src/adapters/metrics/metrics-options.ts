import { basename } from 'node:path'
import { checkOptionNames, checkOptionsObject, kindOf } from '../../engine/for-metrics.js'

/** Checks the options. @throws TypeError for unknown options and for switches that are no booleans */
export function checkOptions(
  place: string,
  options: object,
  known: ReadonlySet<string>,
  switches: readonly string[],
): void {
  checkOptionsObject(options, place)
  checkOptionNames(options, known, place)
  for (const name of switches) {
    const value = (options as Readonly<Record<string, unknown>>)[name]
    if (value === undefined || typeof value === 'boolean') continue
    throw new TypeError(`${place}: ${name} must be true or false, got ${kindOf(value)}`)
  }
}

/** The name of a cache: the given one, otherwise the last part of its path. @throws TypeError */
export function nameOf(place: string, name: unknown, directory: string): string {
  if (name === undefined) return basename(directory) || directory
  if (typeof name === 'string' && name !== '') return name
  throw new TypeError(`${place}: name must be a string that is not empty, got ${kindOf(name)}`)
}

/** Checks a provider. @throws TypeError when it is no object with this method */
export function checkProvider(place: string, option: string, given: unknown, method: string): void {
  if (given === undefined) return
  const found = typeof given === 'object' && given !== null && method in given
  if (!found) throw new TypeError(`${place}: ${option} must be an object with ${method}, got ${kindOf(given)}`)
}
