import { infos } from '../../engine/for-cli.js'
import type { Cache, FanoutCache, Listing } from '../../engine/index.js'
import type { Command } from '../command.js'
import type { Context } from '../context.js'
import { INFO_HEAD, infoJson, infoLine } from '../entry-text.js'
import { keyJson, keyText, parseTag, TAG_JSON } from '../keys.js'
import { parseCount } from '../units.js'

export const ls: Command = {
  name: 'ls',
  summary: 'list keys, in the order in which they were stored',
  group: 'Look:',
  operands: '',
  options: [
    { flags: '-p, --prefix <text>', summary: 'only text keys that begin so' },
    { flags: '-t, --tag <tag>', summary: 'only entries with this tag' },
    TAG_JSON,
    { flags: '-l, --long', summary: 'with size, expiry, time of storing and tags' },
    { flags: '--limit <count>', summary: 'stop after so many', parse: parseCount },
    { flags: '-r, --reverse', summary: 'last stored first' },
    { flags: '--expired', summary: 'also those which have expired and were not yet removed' },
  ],
  examples: [
    ['ls ./cache --prefix user: --long', 'the entries of users, with size and expiry'],
    ['ls ./cache --json | jq -c .key', 'keys for a script, numbers and bytes told from text'],
    ['ls ./cache --long --json | jq -s "sort_by(-.size)[:10]"', 'the ten largest'],
  ],
  details:
    'A line for each key; of a FanoutCache one shard after the other. Keys that are no text are written as JSON: ' +
    '--json tells\nthe number 42 from the text "42". Listing changes nothing and counts no hits.',
  run: list,
}

async function list(context: Context): Promise<void> {
  const { options, out, signal } = context
  const cache = await context.open('read')
  const limit = options.number('limit') ?? Number.POSITIVE_INFINITY
  if (options.flag('long') && !out.json && out.isTerminal) await out.line(out.paint('bold', INFO_HEAD))
  let count = 0
  if (limit === 0) return
  for await (const line of linesOf(context, cache)) {
    signal.throwIfAborted()
    await out.line(line)
    if (++count >= limit) return
  }
}

async function* linesOf(context: Context, cache: Cache | FanoutCache): AsyncGenerator<string> {
  const { options, out } = context
  const listing = listingOf(context)
  if (options.flag('long')) {
    for await (const info of context.listed(infos(cache, listing))) {
      yield out.json ? JSON.stringify(infoJson(cache, info)) : infoLine(cache, info, out)
    }
  } else {
    for await (const key of context.listed(cache.keys(listing))) {
      yield out.json ? JSON.stringify({ key: keyJson(cache, key) }) : keyText(cache, key)
    }
  }
}

/** The listing of the options. */
function listingOf({ options }: Context): Listing {
  const tag = options.text('tag')
  return {
    prefix: options.text('prefix'),
    tag: tag === undefined ? undefined : parseTag(tag, options),
    reverse: options.flag('reverse'),
    includeExpired: options.flag('expired'),
  }
}
