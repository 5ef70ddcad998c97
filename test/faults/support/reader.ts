import { FixtureProcess } from '../../helpers/child-process.js'
import { type Kind, optionsOf } from './caches.js'

const SCRIPT = new URL('../fixtures/reader.mjs', import.meta.url)

/** What a process that opens the directory afresh reads; `null` for a miss. */
export async function readElsewhere(
  kind: Kind,
  directory: string,
  keys: readonly (string | number)[],
): Promise<unknown[]> {
  const lines = await new FixtureProcess(SCRIPT, { kind, directory, options: optionsOf(kind), keys }).done()
  return lines.map(line => JSON.parse(line) as unknown)
}
