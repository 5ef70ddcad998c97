import { Readable } from 'node:stream'
import { isStreamable } from '../../engine/for-cli.js'
import type { Cache, FanoutCache, Key } from '../../engine/index.js'
import type { Command } from '../command.js'
import type { Context } from '../context.js'
import { infoJson, infoPairs } from '../entry-text.js'
import { EXIT } from '../exit-codes.js'
import { KEY_JSON, keyText, parseKey } from '../keys.js'
import { pairs } from '../output.js'
import { toTagged } from '../tagged-json.js'
import { forTerminal } from '../terminal-text.js'
import { writeWholeFile } from '../whole-file.js'

export const get: Command = {
  name: 'get',
  summary: 'print the value of a key, or save it to a file',
  group: 'Look:',
  operands: '<key>',
  options: [
    { flags: '-o, --out <file>', summary: 'write the value to a file', completes: 'file' },
    { flags: '-i, --info', summary: 'print what is known of the entry, without its value' },
    KEY_JSON,
  ],
  examples: [
    ['get ./cache user:1', 'text and bytes as they are, other data as JSON'],
    ['get ./cache film.mp4 --out film.mp4', 'a large value, streamed to a file'],
    ['get ./cache user:1 --info', 'size, expiry, tags and file of the entry'],
    [`get ./cache --key-json '["page",7]' | jq .title`, 'a key that is no text'],
  ],
  details:
    'Exit code 1 when the key is not there. With --json text and bytes are JSON as well: bytes are {"$bytes":"<base64>"}.\n' +
    'Values that JSON has no form for are tagged: {"$bigint":"1"} {"$date":"…"} {"$map":[[key,value]]} {"$set":[…]}; set reads them back.',
  run: getValue,
}

async function getValue(context: Context): Promise<number> {
  const cache = await context.open('read')
  const key = parseKey(context.operands[0] ?? '', context.options)
  const found = context.options.flag('info')
    ? await showInfo(context, cache, key)
    : await showValue(context, cache, key)
  if (found) return EXIT.done
  context.note(`there is no key ${keyText(cache, key)}`)
  return EXIT.no
}

async function showInfo(context: Context, cache: Cache | FanoutCache, key: Key): Promise<boolean> {
  const info = await context.answer(cache.info(key, context.patience))
  if (info) await context.out.show(infoJson(cache, info), pairs(infoPairs(cache, info)))
  return info !== undefined
}

async function showValue(context: Context, cache: Cache | FanoutCache, key: Key): Promise<boolean> {
  const target = context.options.text('out')
  if (!context.out.json && (await context.answer(isStreamable(cache, key)))) {
    const file = await context.answer(cache.read(key, context.patience))
    if (file) await send(context, file.stream(), target)
    return file !== undefined
  }
  const item = await context.answer(cache.getItem(key, context.patience))
  if (item) await send(context, Readable.from([shown(context, item.value)], { objectMode: false }), target)
  return item !== undefined
}

/** The printed form of a value: the exact bytes of text and bytes, unless `--json` or a terminal requires another. */
function shown({ out, options }: Context, value: unknown): Uint8Array {
  if (!out.json && value instanceof Uint8Array) return value
  if (out.json || typeof value !== 'string') return Buffer.from(`${JSON.stringify(toTagged(value))}\n`)
  const ends = options.has('out') || !out.isTerminal || value.endsWith('\n')
  return Buffer.from(ends ? value : `${value}\n`)
}

async function send(context: Context, source: Readable, target: string | undefined): Promise<void> {
  if (target !== undefined) return writeWholeFile(target, source, context.signal)
  const chunks = context.out.isTerminal ? forTerminal(source) : source
  for await (const chunk of chunks) await context.out.write(chunk as Uint8Array)
}
