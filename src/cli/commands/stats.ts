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
  run: showStats,
}

async function showStats(context: Context): Promise<void> {
  const cache = await context.open('read')
  const { count, volume, hits, misses } = await context.answer(cache.stats())
  const { statistics, sizeLimit, maxItems, evictionPolicy } = await context.answer(cache.settings())
  const kind = cache instanceof FanoutCache ? 'FanoutCache' : 'Cache'
  await context.out.show(
    { kind, directory: cache.directory, count, volume, sizeLimit, maxItems, evictionPolicy, statistics, hits, misses },
    pairs([
      ['directory', `${cache.directory} (${kind})`],
      ['entries', count.toLocaleString('en')],
      ['size', `${bytesText(volume)} of ${bytesText(sizeLimit)}`],
    ]),
  )
}
