import { countExpired } from '../../engine/for-cli.js'
import { FanoutCache } from '../../engine/index.js'
import type { Command } from '../command.js'
import type { Context } from '../context.js'
import { pairs } from '../output.js'
import { bytesText, countText, percentText } from '../units.js'

export const stats: Command = {
  name: 'stats',
  summary: 'count and size of a cache, its limits, hits and misses',
  group: 'Look:',
  operands: '',
  options: [],
  examples: [
    ['stats ./cache', 'what is in it, and how full it is'],
    ['stats ./cache --json | jq .volume', 'one figure for a script'],
  ],
  details:
    'Hits, misses and evictions are counted by all processes while the setting statistics is on: fanout-cache settings ./cache statistics on',
  run: showStats,
}

async function showStats(context: Context): Promise<void> {
  const cache = await context.open('read')
  const { count, volume, hits, misses, evictions } = await context.answer(cache.stats())
  const { statistics, sizeLimit, maxItems, evictionPolicy } = await context.answer(cache.settings())
  const expired = await context.answer(countExpired(cache))
  const kind = cache instanceof FanoutCache ? 'FanoutCache' : 'Cache'
  const { directory } = cache
  const document = {
    kind,
    directory,
    count,
    expired,
    volume,
    sizeLimit,
    maxItems,
    evictionPolicy,
    statistics,
    hits,
    misses,
    evictions: statistics ? evictions : null,
  }
  const limited = maxItems === null ? '' : ` of ${countText(maxItems)}`
  const gone = expired > 0 ? `, ${countText(expired)} of them expired` : ''
  const found = `${countText(hits)} of ${countText(hits + misses)} (${percentText(hits, hits + misses)})`
  await context.out.show(
    document,
    pairs([
      ['directory', `${directory} (${kind})`],
      ['entries', `${countText(count)}${limited}${gone}`],
      ['size', `${bytesText(volume)} of ${bytesText(sizeLimit)} (${percentText(volume, sizeLimit)})`],
      ['eviction', evictionPolicy],
      ['hits', statistics ? found : 'not counted: the setting statistics is off'],
      ...(statistics ? [['evicted', countText(evictions)] as const] : []),
    ]),
  )
}
