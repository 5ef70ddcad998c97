import { type ExportOptions, exportStream, subCachesOf } from '../../engine/for-transfer.js'
import type { Command } from '../command.js'
import type { Context } from '../context.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { parseTag, TAG_JSON } from '../keys.js'
import { progress } from '../progress.js'
import { writeWholeFile } from '../whole-file.js'

/** The mode of an exported file, which contains everything in the cache. */
const PRIVATE = 0o600

export const exportCommand: Command = {
  name: 'export',
  summary: 'write all entries, with their files, as a stream of JSON lines',
  group: 'Carry:',
  operands: '[file]',
  completes: 'file',
  options: [
    { flags: '-p, --prefix <text>', summary: 'only entries whose keys are texts that begin so' },
    { flags: '-t, --tag <tag>', summary: 'only entries with this tag' },
    TAG_JSON,
    { flags: '--include-expired', summary: 'also entries that have expired and were not removed yet' },
  ],
  examples: [
    ['export ./cache | gzip > cache.jsonl.gz', 'a backup, beside the services that use the cache'],
    ['export ./cache | ssh other fanout-cache import ./cache --create', 'to another machine'],
    ['export ./cache --prefix user: users.jsonl', 'a part of it, into a file'],
    ['export ./cache | jq -r "select(.key).key"', 'what is in it'],
  ],
  details:
    'Services go on reading and writing meanwhile. Each entry is whole; those that are there from the beginning to the\n' +
    'end are all in the stream. Caches below a FanoutCache are directories of their own: export each by itself.\n' +
    'docs/export.md describes the stream.',
  run: exportCache,
}

async function exportCache(context: Context): Promise<number> {
  const { out, io, options, operands, signal } = context
  const [path = '-'] = operands
  if (path === '-' && out.isTerminal) {
    throw new UsageError('a stream of JSON lines is nothing for a terminal: name a file, or send it into a pipe')
  }
  const tag = options.text('tag')
  const wanted = tag === undefined ? undefined : parseTag(tag, options)
  const cache = await context.open('read')
  const below = subCachesOf(cache.directory)
  if (below.length > 0) context.note(`not in the stream, export them by themselves: ${below.join(', ')}`)
  const bar = progress(io, { what: 'exported', total: await context.answer(cache.count()) })
  let damaged = 0
  const choice: ExportOptions = {
    prefix: options.text('prefix'),
    tag: wanted,
    includeExpired: options.flag('includeExpired'),
    told: key => {
      bar.advance()
      if (key === undefined) return
      damaged++
      context.note(`left out, since its file is gone or was cut short: ${key}`)
    },
  }
  try {
    if (path === '-') for await (const part of exportStream(cache, choice)) await out.write(part)
    else await writeWholeFile(path, exportStream(cache, choice), signal, PRIVATE)
  } finally {
    bar.end()
  }
  return damaged === 0 ? EXIT.done : EXIT.no
}
