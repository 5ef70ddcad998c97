import { oncePerProcess } from '../engine/for-doors.js'
import type { DiskCache } from '../engine/index.js'

/** The name of a `responseCache` without the option `name`. */
const DEFAULT_NAME = 'fanout-cache'

const namesByDirectory = oncePerProcess('http-names', () => new Map<string, Set<string>>())

/** Notes the name of a `responseCache` of this process. */
export function noteName({ directory }: DiskCache, name: string): void {
  const names = namesByDirectory.get(directory) ?? new Set([DEFAULT_NAME])
  namesByDirectory.set(directory, names.add(name))
}

/** The names of all `responseCache`s that this process has made on a directory, and the default one. */
export function namesOf({ directory }: DiskCache): readonly string[] {
  return [...(namesByDirectory.get(directory) ?? [DEFAULT_NAME])]
}
