import type { Cache, FanoutCache, Info } from '../engine/index.js'
import { keyJson, keyText, tagText } from './keys.js'
import type { Output } from './output.js'
import { type Json, toTagged } from './tagged-json.js'
import { bytesText, untilText } from './units.js'

/** The info of an entry as JSON, with the names and units of the API: epoch milliseconds and bytes. */
export function infoJson(cache: Cache | FanoutCache, info: Info): Record<string, Json> {
  const { key, expiresAt, tag, tags, storedAt, accessedAt, accessCount, size, path, meta, version } = info
  return {
    key: keyJson(cache, key),
    size,
    ...(expiresAt === undefined ? undefined : { expiresAt }),
    ...(tag === undefined ? undefined : { tag: toTagged(tag) }),
    tags: [...tags],
    storedAt,
    accessedAt,
    accessCount,
    ...(path === undefined ? undefined : { path }),
    ...(meta === undefined ? undefined : { meta: meta as Json }),
    version,
  }
}

/** The heading above the lines of `infoLine`. */
export const INFO_HEAD: string = ['SIZE'.padStart(10), 'EXPIRES IN'.padEnd(10), 'STORED'.padEnd(20), 'KEY'].join('  ')

/** One line about an entry, in columns of fixed widths. */
export function infoLine(cache: Cache | FanoutCache, info: Info, out: Output): string {
  const tags = tagsOf(info)
  const line = [
    bytesText(info.size).padStart(10),
    untilText(info.expiresAt).padEnd(10),
    out.paint('dim', instantText(info.storedAt).padEnd(20)),
    keyText(cache, info.key),
  ].join('  ')
  return tags === '' ? line : `${line}  ${out.paint('cyan', `[${tags}]`)}`
}

/** The info of an entry as pairs of a label and a value. */
export function infoPairs(cache: Cache | FanoutCache, info: Info): (readonly [string, string])[] {
  const expires = info.expiresAt === undefined ? '' : ` (${instantText(info.expiresAt)})`
  const tags = tagsOf(info)
  return [
    ['key', keyText(cache, info.key)],
    ['size', `${bytesText(info.size)} (${info.size} bytes)`],
    ['expires in', `${untilText(info.expiresAt)}${expires}`],
    ['stored', instantText(info.storedAt)],
    ['accessed', `${instantText(info.accessedAt)}, counted ${info.accessCount} times`],
    ...(tags === '' ? [] : [['tags', tags] as const]),
    ...(info.path === undefined ? [] : [['file', info.path] as const]),
    ...(info.meta === undefined ? [] : [['meta', JSON.stringify(info.meta)] as const]),
    ['version', info.version],
  ]
}

function tagsOf({ tag, tags }: Info): string {
  return [...(tag === undefined ? [] : [tag]), ...tags].map(tagText).join(', ')
}

/** An instant in UTC, to the second. */
function instantText(instant: number): string {
  const date = new Date(instant)
  return Number.isNaN(date.getTime()) ? `${instant}` : date.toISOString().replace(/\.\d+Z$/, 'Z')
}
