import type { HttpResponse } from './http-message.js'
import { isCacheStatus } from './policy/cache-status.js'
import type { ResponseHead } from './policy/message.js'

/** The head of a response as it will be sent. */
export function headOf(response: HttpResponse): ResponseHead {
  const fields: (readonly [string, string])[] = []
  for (const name of rawNames(response)) {
    const value = response.getHeader(name)
    if (value === undefined) continue
    if (Array.isArray(value)) for (const line of value) fields.push([name, String(line)])
    else fields.push([name, String(value)])
  }
  return { status: response.statusCode, fields }
}

function rawNames(response: HttpResponse): readonly string[] {
  const { getRawHeaderNames } = response as { getRawHeaderNames?: () => string[] }
  return getRawHeaderNames ? getRawHeaderNames.call(response) : response.getHeaderNames()
}

/** Sets the fields given to `writeHead` on the response. Returns `false` when they are no fields. */
export function applyHeaders(response: HttpResponse, headers: unknown): boolean {
  if (headers === undefined || headers === null) return true
  if (typeof headers !== 'object') return false
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers)) if (name) response.setHeader(name, value)
    return true
  }
  const pairs: [string, string][] = Array.isArray(headers[0]) ? headers : inPairs(headers)
  if (!Array.isArray(headers[0]) && headers.length % 2 !== 0) return false
  for (const [name] of pairs) response.removeHeader(name)
  for (const [name, value] of pairs) if (name) response.appendHeader(name, value)
  return true
}

function inPairs(list: readonly string[]): [string, string][] {
  return list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1] as string] as [string, string]] : []))
}

/**
 * Adds a line to a field. Removes lines of `Cache-Status` that are no list, since they make the whole field unreadable.
 */
export function addField(response: HttpResponse, name: string, value: string): void {
  if (name === 'Cache-Status') {
    const lines = [response.getHeader(name) ?? []].flat().map(String)
    if (!lines.every(isCacheStatus)) response.removeHeader(name)
    if (lines.some(isCacheStatus)) response.setHeader(name, lines.filter(isCacheStatus))
  }
  response.appendHeader(name, value)
}
