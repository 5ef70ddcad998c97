/** What a literal must have to be more than a number can hold: many digits, or a large exponent. */
const SUSPICIOUS = /\d{16}|[eE]\+?\d{3}/
const LITERAL = /-?\d[\d.eE+-]*/g
/** Characters of a number that a message shows. */
const LONGEST = 40

/**
 * Finds a number in JSON of which `JSON.parse` makes another one without a word: 9007199254740993, 1e400. Fractions
 * are as near as they can be, and what `JSON.stringify` writes of a number is that number.
 *
 * @param json valid JSON
 */
export function lostNumber(json: string): string | undefined {
  if (!SUSPICIOUS.test(json)) return undefined
  for (const part of outsideOfStrings(json)) {
    const lost = part.match(LITERAL)?.find(isLost)
    if (lost !== undefined) return lost
  }
  return undefined
}

/** The sentence about such a number. */
export function lostNumberText(literal: string): string {
  const shown = literal.length > LONGEST ? `${literal.slice(0, LONGEST)}…` : literal
  return `${shown} is beyond what a number holds; a whole number of so many digits is written {"$bigint":"…"}`
}

function isLost(literal: string): boolean {
  const number = Number(literal)
  if (!Number.isFinite(number)) return true
  if (Number.isSafeInteger(number) || !/^-?\d+$/.test(literal)) return false
  return String(number) !== literal && BigInt(number) !== BigInt(literal)
}

function* outsideOfStrings(json: string): Generator<string> {
  for (let at = 0; ; ) {
    const quote = json.indexOf('"', at)
    if (quote < 0) return yield json.slice(at)
    yield json.slice(at, quote)
    at = endOfString(json, quote)
  }
}

/** The place behind the string that begins at a quote. */
function endOfString(json: string, quote: number): number {
  let end = json.indexOf('"', quote + 1)
  while (isEscaped(json, end)) end = json.indexOf('"', end + 1)
  return end + 1
}

function isEscaped(json: string, quote: number): boolean {
  let first = quote
  while (json[first - 1] === '\\') first--
  return (quote - first) % 2 === 1
}
