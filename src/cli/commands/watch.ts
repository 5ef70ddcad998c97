import { setTimeout as sleep } from 'node:timers/promises'
import { LONGEST_TIMER, systemClock } from '../../engine/for-cli.js'
import { type ShardFigures, Watcher } from '../../engine/for-watch.js'
import { FanoutCache } from '../../engine/index.js'
import type { Command } from '../command.js'
import type { Context } from '../context.js'
import { UsageError } from '../exit-codes.js'
import { isDrawnOn, table } from '../output.js'
import { bytesText, countText, parseCount, parseDuration, percentText } from '../units.js'

export const watch: Command = {
  name: 'watch',
  summary: 'live figures: hits, misses, entries, size, evictions, of each shard',
  group: 'Look:',
  operands: '',
  options: [
    { flags: '--every <duration>', summary: 'how often (default: 1s)', parse: text => parseDuration(text, '--every') },
    { flags: '--count <n>', summary: 'end after so many', parse: parseCount },
  ],
  examples: [
    ['watch ./cache', 'a table that is drawn anew each second, until Ctrl-C'],
    ['watch ./cache --every 10s >> cache.log', 'a line every ten seconds'],
    ['watch ./cache --json --count 1', 'the figures of this moment, with those of each shard'],
  ],
  details:
    'Reads only, and holds nobody up. Hits, misses and evictions are counted by the services while the setting statistics\n' +
    'is on, and come with their next write, or within seconds: fanout-cache settings ./cache statistics on',
  run: watchCache,
}

const LEAST_EVERY = 100
const MOST_ROWS = 16
/** Number of lines besides those of the shards, including that of the cursor. */
const OTHER_ROWS = 6

/** The totals of all shards, with rates. */
interface Figures extends Omit<ShardFigures, 'shard' | 'stored'> {
  readonly time: string
  /** Rates per second since the last update. `null`: not counted or not known yet. */
  readonly perSecond: Rates
  readonly shards: readonly (ShardFigures & { readonly perSecond: Rates })[]
}

interface Rates {
  readonly hits: number | null
  readonly misses: number | null
  readonly evictions: number | null
  readonly stored: number | null
}

async function watchCache(context: Context): Promise<void> {
  const { options, out, signal, patience } = context
  const every = options.number('every') ?? 1000
  if (every < LEAST_EVERY || every > LONGEST_TIMER) {
    throw new UsageError(`--every must be ${LEAST_EVERY}ms to 24 days`)
  }
  const count = options.number('count') ?? Number.POSITIVE_INFINITY
  const cache = await context.open('read')
  const watcher = new Watcher(cache, patience.timeout)
  const title = `${cache.directory} (${cache instanceof FanoutCache ? 'FanoutCache' : 'Cache'})`
  const screen = new Screen(context)
  let before: Look | undefined
  for (let shown = 0; shown < count; shown++) {
    if (shown > 0) await sleep(every, undefined, { signal })
    const look = { at: performance.now(), shards: await watcher.look() }
    const figures = figuresOf(look, before)
    if (shown === 0 && !figures.statistics && !out.json) context.note(NOT_COUNTED)
    if (out.json) await out.document(figures)
    else if (isDrawnOn(context.io, context.io.stdout)) await screen.draw(lines(title, figures, context))
    else await out.line(oneLine(figures))
    before = look
  }
}

const NOT_COUNTED =
  'hits, misses and evictions are not counted: fanout-cache settings <directory> statistics on begins that, in all processes'

interface Look {
  readonly at: number
  readonly shards: readonly ShardFigures[]
}

function figuresOf(look: Look, before: Look | undefined): Figures {
  const seconds = before && (look.at - before.at) / 1000
  const sum = (name: 'count' | 'size' | 'sizeLimit' | 'wal' | 'hits' | 'misses' | 'evictions'): number =>
    look.shards.reduce((total, shard) => total + shard[name], 0)
  const shards = look.shards.map((shard, at) => ({ ...shard, perSecond: ratesOf(shard, before?.shards[at], seconds) }))
  return {
    time: new Date(systemClock.now()).toISOString(),
    count: sum('count'),
    size: sum('size'),
    // The shares of the shards may be fractions.
    sizeLimit: Math.round(sum('sizeLimit')),
    wal: sum('wal'),
    statistics: look.shards.some(({ statistics }) => statistics),
    hits: sum('hits'),
    misses: sum('misses'),
    evictions: sum('evictions'),
    perSecond: {
      hits: sumOf(shards.map(({ perSecond }) => perSecond.hits)),
      misses: sumOf(shards.map(({ perSecond }) => perSecond.misses)),
      evictions: sumOf(shards.map(({ perSecond }) => perSecond.evictions)),
      stored: sumOf(shards.map(({ perSecond }) => perSecond.stored)),
    },
    shards,
  }
}

function ratesOf(now: ShardFigures, before: ShardFigures | undefined, seconds: number | undefined): Rates {
  if (!before || seconds === undefined) return { hits: null, misses: null, evictions: null, stored: null }
  // Somebody may have reset the counters meanwhile.
  const rate = (name: 'hits' | 'misses' | 'evictions'): number | null =>
    now.statistics ? round(Math.max(0, now[name] - before[name]) / seconds) : null
  const stored = now.stored === undefined ? null : round(now.stored / seconds)
  return { hits: rate('hits'), misses: rate('misses'), evictions: rate('evictions'), stored }
}

function sumOf(rates: readonly (number | null)[]): number | null {
  const known = rates.filter(rate => rate !== null)
  return known.length === 0 ? null : round(known.reduce((sum, rate) => sum + rate, 0))
}

function round(rate: number): number {
  return Math.round(rate * 10) / 10
}

function oneLine({ time, count, size, wal, perSecond, hits, misses }: Figures): string {
  const { hits: hitsNow, misses: missesNow, stored, evictions } = perSecond
  const rates = `hits/s ${text(hitsNow)} misses/s ${text(missesNow)} stored/s ${text(stored)} evicted/s ${text(evictions)}`
  return `${time} entries ${count} size ${size} log ${wal} ${rates} hits ${hits} misses ${misses}`
}

function lines(title: string, figures: Figures, { out, io }: Context): string[] {
  const { count, size, sizeLimit, wal, hits, misses, evictions, perSecond, shards, statistics } = figures
  const share = sizeLimit === 0 ? '' : ` (${percentText(size, sizeLimit)})`
  const totals = statistics
    ? `  hits ${countText(hits)}  misses ${countText(misses)}  evicted ${countText(evictions)}`
    : ''
  const header = ['shard', 'entries', 'size', 'log', 'hits/s', 'misses/s', 'stored/s', 'evicted/s']
  const row = (name: string, of: Pick<ShardFigures, 'count' | 'size' | 'wal'>, rates: Rates): string[] => [
    name,
    countText(of.count),
    bytesText(of.size),
    bytesText(of.wal),
    ...[rates.hits, rates.misses, rates.stored, rates.evictions].map(text),
  ]
  // A block taller than the terminal cannot be overwritten.
  const room = Math.min(MOST_ROWS, (io.stdout.rows || 24) - OTHER_ROWS)
  const rows =
    shards.length === 1 || shards.length > room ? [] : shards.map(shard => row(shard.shard, shard, shard.perSecond))
  const [head = '', ...body] = table(header, [...rows, row('all', { count, size, wal }, perSecond)])
  const all = `${countText(count)} entries  ${bytesText(size)} of ${bytesText(sizeLimit)}${share}  log ${bytesText(wal)}${totals}`
  // A wrapped line would count as two.
  const width = io.stdout.columns || 80
  const [first = '', second = '', names = '', ...rest] = [title, all, head, ...body].map(line => line.slice(0, width))
  return [out.paint('bold', first), second, '', out.paint('dim', names), ...rest]
}

function text(rate: number | null): string {
  return rate === null ? '-' : countText(rate)
}

/** A block of lines that overwrites the previous one. */
class Screen {
  readonly #out: Context['out']
  #height = 0

  constructor({ out }: Context) {
    this.#out = out
  }

  async draw(block: readonly string[]): Promise<void> {
    // Moves to the first line of the last block and clears everything below.
    const back = this.#height === 0 ? '' : `\u001b[${this.#height}A\u001b[0J`
    this.#height = block.length
    await this.#out.write(`${back}${block.map(line => `${line}\n`).join('')}`)
  }
}
