import type { HttpRequest } from './http-message.js'

/** Gives a request other lines: names and values in turn. */
export function putLines(request: HttpRequest, lines: string[]): void {
  // Requests of HTTP/2 have no setter for it.
  Object.defineProperty(request, 'rawHeaders', { value: lines, writable: true, configurable: true, enumerable: true })
  // Node would make it of as many lines as there were at first.
  if ('headersDistinct' in request) Reflect.set(request, 'headersDistinct', distinct(lines))
}

/** The lines of a request without those of some fields, named in lower case. */
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
