import type { SqlValue } from '../disk/codec.js'
import type { Disk } from '../disk/disk.js'
import type { KeyRange } from '../operations/key-range.js'
import type { KeyRow } from '../operations/listing.js'
import { kindOf } from '../option-names.js'
import type { Key, Listing } from '../options.js'
import { checkVerbOptions, encodeTag } from './verb-options.js'

/** The checked options of a listing. */
export interface ResolvedListing {
  readonly prefix: string | undefined
  readonly tag: SqlValue | undefined
  readonly reverse: boolean
  readonly includeExpired: boolean
}

/** Checks the options of a listing. @throws TypeError that names the verb and the option */
export function resolveListing(options: Listing | undefined, verb: string): ResolvedListing {
  checkVerbOptions(options, verb, 'listing')
  const { prefix, tag, reverse = false, includeExpired = false } = options ?? {}
  if (prefix !== undefined && typeof prefix !== 'string') {
    throw new TypeError(`${verb}: prefix must be a string, got ${kindOf(prefix)}`)
  }
  for (const [name, flag] of Object.entries({ reverse, includeExpired })) {
    if (typeof flag !== 'boolean') throw new TypeError(`${verb}: ${name} must be true or false, got ${kindOf(flag)}`)
  }
  return { prefix, tag: tag === undefined ? undefined : encodeTag(tag), reverse, includeExpired }
}

/** Whether keys are stored in a form in which prefixes cannot be searched. */
export function hidesPrefixes({ disk }: { readonly disk: Disk }): boolean {
  return disk.codec.name === 'json'
}

/** The entries of a shard or session whose string keys begin with a prefix. */
export function rangeOf(place: { readonly disk: Disk }, prefix: string): KeyRange {
  return { prefix, hidden: hidesPrefixes(place) }
}

/** The key of a listed row. */
export function keyOfRow({ disk }: { readonly disk: Disk }, [, data, raw]: KeyRow): Key {
  return disk.decodeKey(data, raw !== 0)
}

/** Compares a prefix after decoding, since keys of the JSON codec are compressed. */
export function startsWith(place: { readonly disk: Disk }, row: KeyRow, prefix: string): boolean {
  const key = keyOfRow(place, row)
  return typeof key === 'string' && key.startsWith(prefix)
}
