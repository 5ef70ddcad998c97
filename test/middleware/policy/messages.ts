import type { Fields, RequestHead, StoredResponse } from '../../../src/middleware/policy/message.js'

/** The instant that tests are at: a whole second. */
export const NOW = Date.UTC(2026, 0, 1, 12)
export const SECOND = 1000

/** `Name: value` lines as fields. */
export function fieldsOf(lines: readonly string[]): Fields {
  return lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()]
  })
}

export function get(...lines: readonly string[]): RequestHead {
  return { method: 'GET', url: 'http://example.com/page', fields: fieldsOf(lines) }
}

/** A 200 that was asked for and arrived now. */
export function ok(...lines: readonly string[]): StoredResponse {
  return { status: 200, fields: fieldsOf(lines), requestedAt: NOW, receivedAt: NOW }
}

/** An HTTP date so many seconds from now. */
export function date(seconds: number): string {
  return new Date(NOW + seconds * SECOND).toUTCString()
}
