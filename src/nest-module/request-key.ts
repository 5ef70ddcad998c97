/** Limit of a URL. Longer ones are not cached, so that made-up URLs cannot fill the cache. */
const LONGEST = 4096

/** Parsers of parameters ignore those beyond the first thousand. */
const MOST_SORTED = 1000

/**
 * The key of a URL. Its parameters are sorted by name, because their order has no meaning when they are looked up by
 * name. Parameters of one name keep their order, also with a following `[…]`, and however it is encoded.
 *
 * @param url path and query, as in the request
 * @returns `undefined` when it is too long, and when it has a fragment, which Express ignores and Fastify takes for
 *   parameters
 */
export function keyOfUrl(url: string): string | undefined {
  if (url.length > LONGEST || url.includes('#')) return undefined
  const start = url.indexOf('?') + 1
  if (start === 0) return url
  const parameters = url.slice(start).split('&')
  if (parameters.length === 1 || parameters.length > MOST_SORTED) return url
  return url.slice(0, start) + sorted(parameters).join('&')
}

function sorted(parameters: readonly string[]): readonly string[] {
  try {
    const named = parameters.map(text => ({ text, name: nameOf(text) }))
    named.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    return named.map(({ text }) => text)
  } catch {
    // What a parser makes of a malformed name is not known.
    return parameters
  }
}

/**
 * The name before `=`, `[` or `.`, the last two of which parsers of nested parameters interpret.
 *
 * @throws URIError when it is malformed
 */
function nameOf(parameter: string): string {
  const end = parameter.indexOf('=')
  const name = end < 0 ? parameter : parameter.slice(0, end)
  const decoded = /[%+]/.test(name) ? decodeURIComponent(name.replaceAll('+', ' ')) : name
  return /^[^[.]*/.exec(decoded)?.[0] ?? ''
}
