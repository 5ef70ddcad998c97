import { editDistance } from '../engine/for-cli.js'

/** The known name that was probably meant. `undefined`: none is similar. */
export function nearestOf(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    // The last part of a name is enough: `journalMode` for `sqlite.journalMode`.
    const parts = [candidate, candidate.split('.').at(-1) ?? candidate]
    const distance = Math.min(...parts.map(part => editDistance(name.toLowerCase(), part.toLowerCase())))
    // Of short names any two are near.
    if (distance >= least || distance > Math.min(name.length, candidate.length) / 2) continue
    least = distance
    best = candidate
  }
  return best
}
