import { seeded } from '../fixtures/random.mjs'

/** A source of chance that can be repeated: the seed is printed, and FAULT_SEED sets it. */
export function printedSeed(title: string): { readonly seed: number; readonly random: () => number } {
  const seed = Number(process.env['FAULT_SEED'] ?? Date.now() % 1_000_000_000)
  console.log(`${title}: FAULT_SEED=${seed}`)
  return { seed, random: seeded(seed) }
}
