import type { HttpRequest } from './http-message.js'

/** Replaces the lines of a request: names and values in turn. */
export function putLines(request: HttpRequest, lines: string[]): void {
  // Requests of HTTP/2 have no setter for `rawHeaders`.
  Object.defineProperty(request, 'rawHeaders', { value: lines, writable: true, configurable: true, enumerable: true })
  // Node would compute it from the original number of lines.
  if ('headersDistinct' in request) Reflect.set(request, 'headersDistinct', distinct(lines))
}

/** The lines of a request without some fields, which are named in lower case. */
export function linesWithout({ rawHeaders }: HttpRequest, names: readonly string[]): string[] {
  return rawHeaders.filter((_, at) => !names.includes(rawHeaders[at - (at % 2)]?.toLowerCase() ?? ''))
}

function distinct(lines: readonly string[]): Record<string, string[]> {
  const values: Record<string, string[]> = Object.create(null)
  for (let at = 0; at < lines.length; at += 2) {
    const name = (lines[at] ?? '').toLowerCase()
    values[name] ??= []
    values[name].push(lines[at + 1] ?? '')
  }
  return values
}
