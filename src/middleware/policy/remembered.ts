/**
 * Makes a pure function of a text remember its results: most requests have the same few values of a field. Clients
 * cannot make it grow without limit: when full it forgets everything, and it does not remember long texts.
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
