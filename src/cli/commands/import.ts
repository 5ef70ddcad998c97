import { createReadStream, statSync } from 'node:fs'
import {
  CodecError,
  ConflictError,
  type Imported,
  type ImportOptions,
  importStream,
  nothingImported,
  reclaimImports,
  StreamError,
} from '../../engine/for-transfer.js'
import type { Command } from '../command.js'
import type { Context } from '../context.js'
import { CliError, EXIT, UsageError } from '../exit-codes.js'
import { checkStdin } from '../input-keys.js'
import { cachePlace, checkContent, isCache, lookAt } from '../open-cache.js'
import { pairs } from '../output.js'
import { type Progress, progress } from '../progress.js'
import { bytesText, countText, parseCount } from '../units.js'

export const importCommand: Command = {
  name: 'import',
  summary: 'store the entries of a stream that export has written',
  group: 'Carry:',
  operands: '[file]',
  completes: 'file',
  options: [
    { flags: '--create', summary: 'make the cache where there is none, with kind, shards and settings of the stream' },
    { flags: '--kind <kind>', summary: 'with --create: another kind', choices: ['Cache', 'FanoutCache'] },
    { flags: '--shards <n>', summary: 'with --create: another number of shards', parse: parseCount },
    {
      flags: '--on-conflict <what>',
      summary: 'for keys that are there already: replace, keep or fail (default: replace)',
      choices: ['replace', 'keep', 'fail'],
    },
    {
      flags: '--batch <n>',
      summary: 'store so many entries at a time, so that services never wait long (default: all of them, or none)',
      parse: parseCount,
    },
    { flags: '--evict', summary: 'import also more than fits into the limit of the cache' },
    { flags: '--include-expired', summary: 'store also entries that have expired meanwhile' },
  ],
  examples: [
    ['import ./cache backup.jsonl', 'store what a backup holds'],
    ['import ./cache --create < backup.jsonl', 'make a cache of it'],
    ['import ./cache backup.jsonl --on-conflict keep', 'only what is missing'],
    ['import ./cache backup.jsonl --dry-run', 'look whether the stream is whole, and what it would replace'],
  ],
  details:
    'The whole stream is read and checked first, into a directory beside the data; then all of it is stored in one\n' +
    'transaction. Whatever goes wrong, Ctrl-C included, leaves the cache as it was. Keys that are there already are\n' +
    'replaced after a question, or with --yes.',
  destroys: true,
  run: importCache,
}

async function importCache(context: Context): Promise<number> {
  const { options, operands, io, signal } = context
  const [path = '-'] = operands
  checkOptions(context)
  if (path === '-') checkStdin(io, 'name a file, or pipe a stream in')
  const { directory } = lookAt(context.directory)
  await reclaimImports(directory)
  const place = cachePlace(directory, { mayBeMissing: options.flag('create') })
  const isThere = isCache(place)
  if (isThere) checkContent(place)
  const chosen = choiceOf(context, directory, isThere)
  if (isThere && chosen.onConflict === 'replace' && !context.dryRun) {
    const goOn = await context.confirm(() => `Replace entries of ${directory} whose keys are in the stream?`)
    if (!goOn) return EXIT.no
  }
  const report = nothingImported()
  const bars = new Bars(context, path === '-' ? undefined : sizeOf(path))
  const source = path === '-' ? io.stdin : createReadStream(path, { signal, highWaterMark: 2 ** 18 })
  try {
    const heard = { read: bars.read.bind(bars), stored: bars.stored.bind(bars) }
    await importStream(source as AsyncIterable<Uint8Array>, { ...chosen, ...heard }, report)
  } catch (error) {
    if (report.stored + report.replaced > 0 && report.evicted === 0) tellPart(context, report)
    throw told(error)
  } finally {
    bars.end()
  }
  if (signal.aborted && !context.dryRun) context.note('all of it was stored before this')
  await show(context, directory, report)
  return EXIT.done
}

function choiceOf(context: Context, directory: string, isThere: boolean): Omit<ImportOptions, 'read' | 'stored'> {
  const { options, dryRun, patience, signal } = context
  return {
    directory,
    open: isThere ? () => context.open(dryRun ? 'read' : 'write') : undefined,
    make: { kind: options.text('kind') as 'Cache' | 'FanoutCache' | undefined, shards: options.number('shards') },
    codec: options.text('codec'),
    includeExpired: options.flag('includeExpired'),
    evict: options.flag('evict'),
    dryRun,
    onConflict: (options.text('onConflict') ?? 'replace') as ImportOptions['onConflict'],
    batch: options.number('batch'),
    timeout: patience.timeout,
    signal,
  }
}

function checkOptions({ options }: Context): void {
  for (const name of ['kind', 'shards']) {
    if (options.has(name) && !options.flag('create')) throw new UsageError(`--${name} goes with --create`)
  }
  if (options.number('shards') === 0) throw new UsageError('--shards must be 1 or more')
  if (options.has('shards') && options.text('kind') === 'Cache') throw new UsageError('a Cache has no shards')
  if (options.number('batch') === 0) throw new UsageError('--batch must be 1 or more')
  if (options.has('batch') && options.text('onConflict') === 'fail') {
    throw new UsageError(
      '--on-conflict fail stores all or nothing, and --batch a part at a time: leave one of them out',
    )
  }
}

function sizeOf(path: string): number {
  const stat = statSync(path)
  if (stat.isDirectory()) throw new UsageError(`${path} is a directory, not a stream of export`)
  return stat.size
}

function told(error: unknown): unknown {
  if (error instanceof StreamError)
    return new CliError(EXIT.data, `${error.message}; nothing was imported`, { cause: error })
  if (error instanceof ConflictError)
    return new CliError(EXIT.no, `${error.message}; nothing was imported`, { cause: error })
  if (error instanceof CodecError) return new UsageError(`${error.message}; nothing was imported`, { cause: error })
  // The stream exceeds the limits of the directory.
  if (error instanceof RangeError) return new UsageError(`${error.message}; raise sizeLimit, or import with --evict`)
  return error
}

function tellPart(context: Context, { stored, replaced, kept }: Imported): void {
  context.note(`${stored + replaced + kept} entries were stored before this; the same import can go on from there`)
}

async function show({ out, dryRun }: Context, directory: string, report: Imported): Promise<void> {
  const { entries, files, bytes, expired, stored, replaced, kept, evicted } = report
  const rows: [string, string][] = [
    ['read', `${countText(entries)} entries, ${countText(files)} files of ${bytesText(bytes)}`],
    ...(dryRun ? [] : [['stored', countText(stored + replaced)] as [string, string]]),
    [dryRun ? 'would replace' : 'replaced', countText(replaced)],
  ]
  const others = { 'left out, expired': expired, 'kept as they were': kept, 'evicted for the limit': evicted }
  for (const [name, count] of Object.entries(others)) if (count > 0) rows.push([name, countText(count)])
  await out.show({ directory, dryRun, entries, files, bytes, expired, stored, replaced, kept, evicted }, pairs(rows))
}

/** One bar for reading and one for storing. */
class Bars {
  readonly #io: Context['io']
  readonly #reading: Progress
  #storing: Progress | undefined

  constructor({ io }: Context, size: number | undefined) {
    this.#io = io
    this.#reading = progress(io, { what: 'bytes read', total: size })
  }

  read(bytes: number): void {
    this.#reading.set(bytes)
  }

  stored(entries: number, of: number): void {
    if (!this.#storing) this.#reading.end()
    this.#storing ??= progress(this.#io, { what: 'stored', total: of })
    this.#storing.advance(entries)
  }

  end(): void {
    this.#reading.end()
    this.#storing?.end()
  }
}
