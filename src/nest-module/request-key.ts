/** Limit of a URL. Longer ones are not cached, so that made-up URLs cannot fill the cache. */
const LONGEST = 4096

/**
 * The key of a URL. Its parameters are sorted by name, because their order has no meaning when they are looked up by
 * name. Parameters of one name keep their order, also with a following `[…]`. Nothing is decoded.
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

/** The name before `=`, `[` or `.`, the last two of which parsers of nested parameters interpret. */
function nameOf(parameter: string): string {
  return /^(?:(?!%5B|%2E)[^=[.])*/i.exec(parameter)?.[0] ?? ''
}
