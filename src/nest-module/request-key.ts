/** Longer ones are not cached: whoever makes up such URLs should not fill the cache. */
const LONGEST = 4096

/**
 * The key of a URL: its parameters ordered by name, since their order means nothing to those who look them up by name.
 * Those of one name keep their order, also where it goes on with `[…]`. Nothing is decoded.
 *
 * @param url path and query, as in the request
 * @returns `undefined` when it is too long
 */
export function keyOfUrl(url: string): string | undefined {
  if (url.length > LONGEST) return undefined
  if (!/[?#]/.test(url)) return url
  const [, path = '', query] = /^([^?#]*)(?:\?([^#]*))?/.exec(url) ?? []
  if (query === undefined) return path
  const parameters = query.split('&').map(text => ({ text, name: nameOf(text) }))
  parameters.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  return `${path}?${parameters.map(({ text }) => text).join('&')}`
}

/** The name before `=`, `[` or `.`, which begin what parsers of nested parameters take apart. */
function nameOf(parameter: string): string {
  return /^(?:(?!%5B|%2E)[^=[.])*/i.exec(parameter)?.[0] ?? ''
}
