import { basename } from 'node:path'
import { checkOptionNames, checkOptionsObject, kindOf } from '../../engine/for-metrics.js'

/** @throws TypeError for options that do not exist, and switches that are no booleans */
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

/** By what name a cache is told from others: the last part of its path, unless another was given. @throws TypeError */
export function nameOf(place: string, name: unknown, directory: string): string {
  if (name === undefined) return basename(directory) || directory
  if (typeof name === 'string' && name !== '') return name
  throw new TypeError(`${place}: name must be a text that is not empty, got ${kindOf(name)}`)
}

/** @throws TypeError when it is no object with this method */
export function checkProvider(place: string, option: string, given: unknown, method: string): void {
  if (given === undefined) return
  const found = typeof given === 'object' && given !== null && method in given
  if (!found) throw new TypeError(`${place}: ${option} must be an object with ${method}, got ${kindOf(given)}`)
}
