import type { PlainData } from '../../engine/index.js'
import type { Command } from '../command.js'
import type { Context } from '../context.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { KEY_JSON, keyJson, keyText, parseKey } from '../keys.js'
import { META, TTL } from '../storing-options.js'

export const touch: Command = {
  name: 'touch',
  summary: 'give a key a new time to live, or other metadata',
  group: 'Change:',
  operands: '<key>',
  options: [TTL, META, KEY_JSON],
  examples: [
    ['touch ./cache user:1 --ttl 1h', 'an hour from now; exit code 1 when the key is not there'],
    ['touch ./cache user:1 --ttl never', 'it no longer expires'],
  ],
  run: touchKey,
}

async function touchKey(context: Context): Promise<number> {
  const { options, patience, out } = context
  const ttl = options.parsed<number | null>('ttl')
  const meta = options.parsed<PlainData>('meta')
  if (ttl === undefined && meta === undefined)
    throw new UsageError('say what to change: --ttl <duration>, or never, or --meta <json>')
  const cache = await context.open('write')
  const key = parseKey(context.operands[0] ?? '', options)
  const touched = await context.answer(cache.touch(key, { ttl, meta, ...patience }))
  if (out.json) await out.document({ key: keyJson(cache, key), touched })
  if (!touched) context.note(`there is no key ${keyText(cache, key)}${meta === undefined ? '' : ', or it is no file'}`)
  return touched ? EXIT.done : EXIT.no
}
