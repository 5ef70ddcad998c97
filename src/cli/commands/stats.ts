import { countExpired } from '../../engine/for-cli.js'
import { FanoutCache } from '../../engine/index.js'
import type { Command, Context } from '../command.js'
import { pairs } from '../output.js'
import { bytesText } from '../units.js'

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
  await context.out.show(
    document,
    pairs([
      ['directory', `${directory} (${kind})`],
      [
        'entries',
        `${number(count)}${maxItems === null ? '' : ` of ${number(maxItems)}`}${expired > 0 ? `, ${number(expired)} of them expired` : ''}`,
      ],
      ['size', `${bytesText(volume)} of ${bytesText(sizeLimit)} (${percent(volume, sizeLimit)})`],
      ['eviction', evictionPolicy],
      [
        'hits',
        statistics
          ? `${number(hits)} of ${number(hits + misses)} (${percent(hits, hits + misses)})`
          : 'not counted: the setting statistics is off',
      ],
      ...(statistics ? [['evicted', number(evictions)] as const] : []),
    ]),
  )
}

function number(value: number): string {
  return value.toLocaleString('en')
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${((part / whole) * 100).toFixed(1)} %`
}
