/** A pattern of keys as Redis has it, cut down to what cache-manager's stores know: `*` is any text, `?` one character. */
export class Glob {
  readonly #pattern: readonly string[]

  constructor(pattern: string) {
    this.#pattern = [...pattern]
  }

  /** In steps that grow with the key times the pattern, however many stars there are. */
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
