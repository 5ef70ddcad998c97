/**
 * A pattern of keys with the part of Redis' syntax that stores of cache-manager know: `*` any text, `?` one character.
 */
export class Glob {
  readonly #pattern: readonly string[]

  constructor(pattern: string) {
    this.#pattern = [...pattern]
  }

  /** Whether a key matches. The time is bounded by the length of the key times that of the pattern. */
  matches(key: string): boolean {
    const text = [...key]
    const pattern = this.#pattern
    let at = 0
    let place = 0
    let star = -1
    let resume = 0
    while (at < text.length) {
      if (pattern[place] === '*') {
        star = place++
        resume = at
      } else if (place < pattern.length && (pattern[place] === '?' || pattern[place] === text[at])) {
        place++
        at++
      } else if (star >= 0) {
        place = star + 1
        at = ++resume
      } else return false
    }
    while (pattern[place] === '*') place++
    return place === pattern.length
  }
}
