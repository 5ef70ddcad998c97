/**
 * A pure function of a text that remembers its last results: most requests bring the same few values of a field. What
 * strangers send cannot make it grow: it forgets all when it is full, and does not remember long texts.
 */
export function remembered<T>(compute: (text: string) => T): (text: string) => T {
  const results = new Map<string, T>()
  return text => {
    const known = results.get(text)
    if (known !== undefined) return known
    const result = compute(text)
    if (text.length > LONGEST) return result
    if (results.size >= MOST) results.clear()
    results.set(text, result)
    return result
  }
}

const MOST = 500
const LONGEST = 256
