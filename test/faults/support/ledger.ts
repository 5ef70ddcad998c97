/** What a crashed writer said: which states each of its keys may be in. 0 stands for a key that is gone. */
export class Ledger {
  readonly #states = new Map<string, readonly number[]>()

  /** Reads the lines of a writer in their order. */
  read(lines: readonly string[]): void {
    for (const line of lines) {
      const [verb, key, sequence] = line.split(' ')
      if (key === undefined || sequence === undefined) continue
      if (verb === 'try') this.#states.set(key, [...this.possible(key), Number(sequence)])
      // One change of a key at a time: what was acknowledged is the state, whatever was tried before.
      if (verb === 'ack') this.#states.set(key, [Number(sequence)])
    }
  }

  keys(): string[] {
    return [...this.#states.keys()]
  }

  possible(key: string): readonly number[] {
    return this.#states.get(key) ?? [0]
  }

  /** What was found after a crash is what later writes start from. */
  settle(key: string, sequence: number): void {
    this.#states.set(key, [sequence])
  }
}
