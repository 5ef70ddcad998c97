import type { Counting, DiskCache, Key } from '../../engine/index.js'
import type { Command } from '../command.js'
import type { Context } from '../context.js'
import { UsageError } from '../exit-codes.js'
import { KEY_JSON, keyJson, parseKey } from '../keys.js'
import { STORING_OPTIONS, storingOf } from '../storing-options.js'
import { toTagged } from '../tagged-json.js'

export const incr: Command = {
  name: 'incr',
  summary: 'add to a counter and print its new value',
  group: 'Change:',
  operands: '<key> [delta]',
  options: [
    { flags: '--default <number>', summary: 'what a missing counter starts from (default: 0)', parse: parseNumber },
    ...STORING_OPTIONS,
    KEY_JSON,
  ],
  examples: [
    ['incr ./cache visits', 'one more'],
    ['incr ./cache stock -5', 'five less'],
    ['incr ./cache calls:ada --ttl 1m', 'a counter that begins now and ends in a minute'],
  ],
  details: 'Time to live and tags are those of a counter that begins; they do not change one that is there.',
  run: increment,
}

async function increment(context: Context): Promise<void> {
  const { options, operands, patience, out } = context
  const delta = parseNumber(operands[1] ?? '1')
  const initial = options.parsed<number | bigint>('default')
  const counting = { ...storingOf(options), ...patience, default: initial }
  const cache = await context.open('write')
  const key = parseKey(operands[0] ?? '', options)
  const value = await context.answer(add(cache, key, delta, counting))
  await out.show({ key: keyJson(cache, key), value: toTagged(value) }, [`${value}`])
}

/** Adds a number, since a counter may be a fraction, or a bigint where the sum has more digits than a number. */
async function add(cache: DiskCache, key: Key, delta: number | bigint, options: Counting): Promise<number | bigint> {
  if (typeof delta === 'bigint') return cache.incr(key, delta, options)
  try {
    return await cache.incr(key, delta, options)
  } catch (error) {
    if (!(error instanceof RangeError) || !Number.isInteger(delta)) throw error
    return cache.incr(key, BigInt(delta), options)
  }
}

/** Parses a number, as a bigint if a number would lose digits. @throws UsageError */
function parseNumber(text: string): number | bigint {
  const number = Number(text)
  if (!/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) || !Number.isFinite(number)) {
    throw new UsageError(`it must be a number, got '${text}'`)
  }
  return /^[+-]?\d+$/.test(text) && !Number.isSafeInteger(number) ? BigInt(text) : number
}
