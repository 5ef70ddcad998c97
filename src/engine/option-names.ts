/**
 * Refuses unknown options.
 *
 * @throws TypeError that names the option and the nearest known one
 */
export function checkOptionNames(options: object, known: ReadonlySet<string>, place: string): void {
  for (const name in options) {
    if (known.has(name)) continue
    throw new TypeError(`${place}: unknown option ${name}; ${hintFor(name, known)}`)
  }
}

/**
 * Refuses unknown events, which would never be emitted.
 *
 * @throws TypeError that names the event and the nearest known one
 */
export function checkEventName(event: unknown, known: ReadonlySet<string>): void {
  if (typeof event === 'string' && known.has(event)) return
  throw new TypeError(`unknown event ${kindOf(event)}; ${hintFor(String(event), known)}`)
}

/** The end of a message about an unknown name: suggests the nearest known one. */
export function hintFor(name: string, known: Iterable<string>): string {
  const near = nearest(name, known)
  return near === undefined ? `known are ${[...known].join(', ')}` : `did you mean ${near}?`
}

/** @throws TypeError when `options` is no object */
export function checkOptionsObject(options: unknown, place: string): asserts options is object {
  if (typeof options === 'object' && options !== null && !Array.isArray(options) && !(options instanceof Promise))
    return
  throw new TypeError(`${place}: options must be an object, got ${kindOf(options)}`)
}

/** Describes a value in messages. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number') return Number.isNaN(value) ? 'NaN' : String(value)
  if (typeof value === 'string') return `'${value.length > 40 ? `${value.slice(0, 40)}…` : value}'`
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Promise) return 'a promise'
  if (typeof value === 'boolean') return String(value)
  return typeof value === 'object' ? 'an object' : typeof value
}

/** The known name that was probably meant. `undefined`: none is similar. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase()
  let best: string | undefined
  let least = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    // The last part of a name is enough: `journalMode` for `sqlite.journalMode`.
    const forms = [candidate, candidate.split('.').at(-1) ?? candidate]
    const distance = Math.min(...forms.map(form => editDistance(wanted, form.toLowerCase())))
    // Of short names any two are near: `key` and `per` share a letter.
    if (distance >= least || distance > Math.min(name.length, candidate.length) / 2) continue
    least = distance
    best = candidate
  }
  return best ?? onlyOneWith(wanted, known)
}

/** The only name that contains a text: `defaultTtl` for `ttl`. */
function onlyOneWith(text: string, known: Iterable<string>): string | undefined {
  if (text.length < 3) return undefined
  const [first, ...others] = [...known].filter(candidate => candidate.toLowerCase().includes(text))
  return others.length === 0 ? first : undefined
}

/** The Levenshtein distance, computed row by row. Two letters that are swapped are one change. */
export function editDistance(a: string, b: string): number {
  let before: readonly number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = isSwapped ? (before[j - 2] as number) + 1 : Number.POSITIVE_INFINITY
      next.push(Math.min(change, swap, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    before = row
    row = next
  }
  return row[b.length] as number
}
