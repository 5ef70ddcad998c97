import type { Codec, SqlValue } from '../disk/codec.js'
import { MODE_BINARY } from '../disk/modes.js'
import { checkOptionNames, kindOf } from '../option-names.js'
import { toMilliseconds, toSeconds } from '../time.js'
import { checkTags, encodeMeta, resolveTtl } from '../verbs/verb-options.js'
import { keyFromJson, modeOf, sqlFromJson, valueFromJson } from './exact-json.js'
import { ENTRY_NAMES, objectOf, wholeNumber } from './format.js'
import type { StagedEntry } from './stage.js'

type Fields = Readonly<Record<string, unknown>>

/** An entry with the size of its file, whose lines follow. */
export type ReadEntry = Omit<StagedEntry, 'file'> & { readonly size: number | undefined }

const FILE_NAMES: ReadonlySet<string> = new Set(['mode', 'size'])
const COMPUTED_NAMES: ReadonlySet<string> = new Set(['took', 'staleAt'])

/**
 * Reads the line of an entry and converts it to the units of rows.
 *
 * @param now seconds since the epoch
 * @throws TypeError or RangeError that names the wrong field
 */
export function readEntry(line: Fields, number: number, codec: Codec, now: number): ReadEntry {
  checkOptionNames(line, ENTRY_NAMES, 'an entry')
  if (!Object.hasOwn(line, 'key')) throw new TypeError('an entry must have a key')
  if (Object.hasOwn(line, 'value') === Object.hasOwn(line, 'file')) {
    throw new TypeError('an entry must have either value or file')
  }
  const storeTime = Math.min(instant(line, 'storedAt') ?? now, now)
  return {
    line: number,
    key: keyFromJson(line['key'], codec),
    ...valueIn(line, codec),
    storeTime,
    expireTime: expiryOf(line, now),
    accessTime: Math.min(instant(line, 'accessedAt') ?? storeTime, now),
    accessCount: line['accessCount'] === undefined ? 0 : count(line['accessCount'], 'accessCount'),
    tag: tagOf(line['tag']),
    tags: line['tags'] === undefined ? [] : checkTags(line['tags']),
    computed: computedOf(line['computed']),
  }
}

function valueIn(line: Fields, codec: Codec): Pick<ReadEntry, 'value' | 'size'> {
  if (line['file'] === undefined) {
    if (line['meta'] !== undefined) throw new TypeError('meta stands beside a file only')
    return { value: valueFromJson(line['value'], codec), size: undefined }
  }
  const file = objectOf(line['file'], 'file')
  checkOptionNames(file, FILE_NAMES, 'file')
  const mode = file['mode'] === undefined ? MODE_BINARY : modeOf(file['mode'])
  const data = line['meta'] === undefined ? null : encodeMeta(line['meta'])
  return { value: { mode, data }, size: count(file['size'], 'size') }
}

function expiryOf(line: Fields, now: number): number | null {
  if (line['ttl'] === undefined) return instant(line, 'expiresAt') ?? null
  if (line['expiresAt'] !== undefined) throw new TypeError('an entry must have expiresAt or ttl, not both')
  return resolveTtl(line['ttl'], now)
}

function tagOf(tag: unknown): SqlValue {
  return tag === undefined ? null : sqlFromJson(tag)
}

function computedOf(value: unknown): StagedEntry['computed'] {
  if (value === undefined) return undefined
  const computed = objectOf(value, 'computed')
  checkOptionNames(computed, COMPUTED_NAMES, 'computed')
  const took = computed['took']
  if (typeof took !== 'number' || took < 0 || !Number.isFinite(took)) {
    throw new TypeError(`took must be milliseconds, got ${kindOf(took)}`)
  }
  return { due: instant(computed, 'staleAt') ?? null, seconds: toSeconds(took) }
}

/** Reads an instant in epoch milliseconds and converts it to seconds, rounded to microseconds like rows. */
function instant(fields: Fields, name: string): number | undefined {
  const value = fields[name]
  if (value === undefined) return undefined
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw new TypeError(`${name} must be epoch milliseconds, got ${kindOf(value)}`)
  }
  return toSeconds(toMilliseconds(toSeconds(value)))
}

function count(value: unknown, name: string): number {
  return wholeNumber(value, name, Number.MAX_SAFE_INTEGER)
}
