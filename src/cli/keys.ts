import { decodeStoredKey, isStoredAs, storedKey } from '../engine/for-cli.js'
import type { Cache, FanoutCache, Key, Tag } from '../engine/index.js'
import type { CommandOption } from './command.js'
import { UsageError } from './exit-codes.js'
import type { Options } from './options.js'
import { printable } from './output.js'
import { type Json, parseTagged, toTagged } from './tagged-json.js'

/** For commands that take keys. */
export const KEY_JSON: CommandOption = {
  flags: '-k, --key-json',
  summary: 'keys are JSON: 42, ["a",1], {"$bytes":"AAE="}, as ls --json prints them',
}

/** For commands that take tags. */
export const TAG_JSON: CommandOption = { flags: '--tag-json', summary: 'tags are JSON: 42, {"$bytes":"AAE="}' }

/** The key that was named on the command line. @throws UsageError */
export function parseKey(text: string, options: Options): Key {
  return options.flag('keyJson') ? parseJsonKey(text) : text
}

/** A key as `keyJson` writes it. @throws UsageError */
export function parseJsonKey(text: string): Key {
  const pickle = /^\s*\{\s*"\$pickle"\s*:\s*"([A-Za-z0-9+/=]*)"\s*\}\s*$/.exec(text)?.[1]
  // What is no key the engine refuses, and says why.
  return pickle === undefined ? (parseTagged(text, 'the key') as Key) : decodeStoredKey(Buffer.from(pickle, 'base64'))
}

/** The tag that was named on the command line. @throws UsageError */
export function parseTag(text: string, options: Options): Tag {
  return options.flag('tagJson') ? (parseTagged(text, 'the tag') as Tag) : text
}

/** A key as JSON by which `--key-json` finds it again, those of Python as well. */
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

/** A key on a line for people: text as it is, all else as JSON. */
export function keyText(cache: Cache | FanoutCache, key: Key): string {
  return typeof key === 'string' ? printable(key) : printable(JSON.stringify(keyJson(cache, key)))
}

/** A tag on a line for people. */
export function tagText(tag: Tag): string {
  return printable(typeof tag === 'string' ? tag : JSON.stringify(toTagged(tag)))
}
