import type { PlainData, Storing, Tag } from '../engine/index.js'
import type { CommandOption } from './command.js'
import { UsageError } from './exit-codes.js'
import { parseTag, TAG_JSON } from './keys.js'
import type { Options } from './options.js'
import { parseJson } from './tagged-json.js'
import { parseTtl } from './units.js'

export const TTL: CommandOption = {
  flags: '--ttl <duration>',
  summary: 'time to live: 250ms, 5s, 10m, 1h, 7d, or never',
  parse: parseTtl,
}

/** Options of commands that store entries. */
export const STORING_OPTIONS: readonly CommandOption[] = [
  TTL,
  { flags: '-t, --tag <tag>', summary: 'a tag to evict by; can be given again', repeats: true },
  TAG_JSON,
]

/** The options to pass to a verb that stores. @throws UsageError */
export function storingOf(options: Options): Pick<Storing, 'ttl' | 'tag' | 'tags'> {
  const ttl = options.parsed<number | null>('ttl')
  const [tag, ...further] = options.all('tag').map(text => parseTag(text, options))
  return {
    ttl,
    tag,
    tags: further.map(furtherTag),
  }
}

function furtherTag(tag: Tag): string {
  if (typeof tag === 'string') return tag
  throw new UsageError('only the first --tag may be something else than text')
}

export const META: CommandOption = {
  flags: '--meta <json>',
  summary: 'plain data kept beside the value, as JSON',
  parse: text => parseJson(text, 'it') as PlainData,
}
