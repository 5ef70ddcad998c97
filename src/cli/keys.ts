import { decodeStoredKey, isStoredAs, storedKey } from '../engine/for-cli.js'
import type { Cache, FanoutCache, Key, Tag } from '../engine/index.js'
import type { CommandOption } from './command.js'
import { UsageError } from './exit-codes.js'
import type { Options } from './options.js'
import { printable } from './output.js'
import { type Json, parseTagged, toTagged } from './tagged-json.js'

/** The option of commands that take keys. */
export const KEY_JSON: CommandOption = {
  flags: '-k, --key-json',
  summary: 'keys are JSON: 42, ["a",1], {"$bytes":"AAE="}, as ls --json prints them',
}

/** The option of commands that take tags. */
export const TAG_JSON: CommandOption = { flags: '--tag-json', summary: 'tags are JSON: 42, {"$bytes":"AAE="}' }

/** Parses a key of the command line. @throws UsageError */
export function parseKey(text: string, options: Options): Key {
  return options.flag('keyJson') ? parseJsonKey(text) : text
}

/** Parses a key in the form of `keyJson`. @throws UsageError */
export function parseJsonKey(text: string): Key {
  const pickle = /^\s*\{\s*"\$pickle"\s*:\s*"([A-Za-z0-9+/=]*)"\s*\}\s*$/.exec(text)?.[1]
  // The engine refuses values that are no keys.
  return pickle === undefined ? (parseTagged(text, 'the key') as Key) : decodeStoredKey(Buffer.from(pickle, 'base64'))
}

/** Parses a tag of the command line. @throws UsageError */
export function parseTag(text: string, options: Options): Tag {
  if (!options.flag('tagJson')) return text
  const tag = parseTagged(text, 'the tag')
  if (typeof tag === 'string' || typeof tag === 'bigint' || tag instanceof Uint8Array) return tag
  if (typeof tag === 'number' && !Number.isNaN(tag)) return tag
  throw new UsageError(`the tag must be text, a number or bytes, got ${text}`)
}

/** Converts a key to JSON by which `--key-json` finds it again, including keys of Python. */
export function keyJson(cache: Cache | FanoutCache, key: Key): Json {
  if (typeof key === 'string') return key
  const json = toTagged(key)
  if (typeof key !== 'object' || key === null || key instanceof Uint8Array) return json
  if (isSafeKey(cache, key, json)) return json
  const stored = storedKey(cache, key)
  return stored === undefined ? json : { $pickle: stored.toString('base64') }
}

function isSafeKey(cache: Cache | FanoutCache, key: Key, json: Json): boolean {
  try {
    return isStoredAs(cache, key, parseTagged(JSON.stringify(json), 'the key') as Key)
  } catch (error) {
    if (error instanceof UsageError || error instanceof TypeError) return false
    throw error
  }
}

/** Formats a key for people: text unchanged, all else as JSON. */
export function keyText(cache: Cache | FanoutCache, key: Key): string {
  return typeof key === 'string' ? printable(key) : printable(JSON.stringify(keyJson(cache, key)))
}

/** Formats a tag for people. */
export function tagText(tag: Tag): string {
  return printable(typeof tag === 'string' ? tag : JSON.stringify(toTagged(tag)))
}
