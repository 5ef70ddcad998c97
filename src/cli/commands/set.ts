import { createReadStream, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import type { PlainData } from '../../engine/index.js'
import type { Command } from '../command.js'
import type { Context } from '../context.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { checkStdin } from '../input-keys.js'
import { KEY_JSON, keyJson, keyText, parseKey } from '../keys.js'
import { META, STORING_OPTIONS, storingOf } from '../storing-options.js'
import { parseTagged } from '../tagged-json.js'

export const set: Command = {
  name: 'set',
  summary: 'store a value: an argument, a file, or what comes on stdin',
  group: 'Change:',
  operands: '<key> [value]',
  options: [
    { flags: '-f, --file <file>', summary: 'store the bytes of a file', completes: 'file' },
    {
      flags: '-j, --value-json',
      summary: 'the value is JSON: 42, {"a":1}, {"$bytes":"AAE="}, as get --json prints it',
    },
    { flags: '--text', summary: 'what comes on stdin or from the file is text, not bytes' },
    ...STORING_OPTIONS,
    META,
    { flags: '--add', summary: 'only if the key is not there; exit code 1 when it is' },
    { flags: '--create', summary: 'make the cache if there is none: a FanoutCache, unless --kind says otherwise' },
    { flags: '--kind <kind>', summary: 'what --create makes', choices: ['FanoutCache', 'Cache'] },
    KEY_JSON,
  ],
  examples: [
    ['set ./cache greeting hello --ttl 1h --tag texts', 'a text, for an hour, with a tag'],
    [`set ./cache user:1 '{"name":"Ada"}' --value-json`, 'data'],
    ['set ./cache film.mp4 --file film.mp4', 'the bytes of a file, of whatever size'],
    ['set ./cache dump -', 'the bytes that come on stdin'],
    ['set ./new first value --create', 'make the cache first'],
  ],
  details:
    'The value is text, unless --value-json says otherwise; - is what comes on stdin: bytes, or with --text text, or\n' +
    'with --value-json JSON. For data that Python shall read: --codec pickle.',
  run: setValue,
}

async function setValue(context: Context): Promise<number> {
  const { options, operands, patience, out } = context
  const key = parseKey(operands[0] ?? '', options)
  const kind = options.text('kind') === 'Cache' ? 'Cache' : 'FanoutCache'
  const storing = { ...storingOf(options), meta: options.parsed<PlainData>('meta'), ...patience }
  checkSources(context)
  if (options.has('kind') && !options.flag('create')) throw new UsageError('--kind goes with --create')
  const cache = await context.open('write', options.flag('create') ? { create: kind } : {})
  const value = await givenValue(context)
  const verb = options.flag('add') ? cache.add(key, value, storing) : cache.set(key, value, storing)
  const stored = await context.answer(verb)
  if (!stored) context.note(`there is a key ${keyText(cache, key)} already`)
  if (out.json) await out.document({ key: keyJson(cache, key), stored })
  return stored ? EXIT.done : EXIT.no
}

/** Checks the sources of the value, before anything is opened or created. @throws UsageError */
function checkSources({ operands, options, io }: Context): void {
  const [, value] = operands
  const file = options.text('file')
  if ((value === undefined) === (file === undefined)) {
    throw new UsageError('give one value: an argument, - for stdin, or --file <file>')
  }
  if (options.flag('text') && options.flag('valueJson'))
    throw new UsageError('--text and --value-json exclude each other')
  if (value === '-') checkStdin(io, 'pipe something in')
  // A directory can be opened and fails only when it is read.
  if (file !== undefined && statSync(file).isDirectory()) throw new UsageError(`${file} is a directory, not a file`)
}

async function givenValue({ operands, options, io, signal }: Context): Promise<unknown> {
  const [, value = ''] = operands
  const file = options.text('file')
  const isJson = options.flag('valueJson')
  if (file === undefined && value !== '-') return isJson ? parseTagged(value, 'the value') : value
  const stream = file === undefined ? inputOf(io.stdin, signal) : createReadStream(file, { signal })
  if (isJson) return parseTagged(await text(stream), 'the value')
  return options.flag('text') ? textOf(await buffer(stream)) : stream
}

/** Decodes UTF-8, with a byte order mark as part of the text. @throws UsageError for bytes that are no UTF-8 */
function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw new UsageError('with --text the value must be UTF-8; without it, it is stored as bytes', { cause: error })
  }
}

/** Stdin as a stream that fails when the command is interrupted, which must not look like the end of the value. */
function inputOf(stdin: NodeJS.ReadableStream, signal: AbortSignal): Readable {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of stdin) {
      signal.throwIfAborted()
      yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    }
    signal.throwIfAborted()
  }
  return Readable.from(chunks(), { objectMode: false })
}
