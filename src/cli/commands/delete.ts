import type { Cache, FanoutCache, Key } from '../../engine/index.js'
import type { Command } from '../command.js'
import { confirmed, countOf } from '../confirming.js'
import type { Context } from '../context.js'
import { EXIT, UsageError } from '../exit-codes.js'
import { checkStdin, inputKeys } from '../input-keys.js'
import { KEY_JSON, keyJson, keyText, parseKey } from '../keys.js'
import { progress } from '../progress.js'

const KEYS_PER_PAGE = 500

export const remove: Command = {
  name: 'delete',
  summary: 'remove keys, or all that begin with a prefix',
  group: 'Change:',
  operands: '[keys...]',
  options: [
    { flags: '-p, --prefix <text>', summary: 'all text keys that begin so; asks first' },
    { flags: '--stdin', summary: 'keys come on stdin, a line each; with --key-json as ls --json prints them' },
    KEY_JSON,
  ],
  destroys: true,
  examples: [
    ['delete ./cache user:1 user:2', 'two keys; exit code 1 when one was not there'],
    ['delete ./cache --prefix session: --dry-run', 'how many there are'],
    ['delete ./cache --prefix session: --yes', 'all sessions'],
    ['ls ./cache --tag old --json | fanout-cache delete ./cache --stdin --key-json', 'what a listing names'],
  ],
  run: deleteKeys,
}

async function deleteKeys(context: Context): Promise<number> {
  const { options, operands, out, dryRun } = context
  const prefix = options.text('prefix')
  const sources = [operands.length > 0, prefix !== undefined, options.flag('stdin')]
  if (sources.filter(Boolean).length !== 1) {
    throw new UsageError('say what to delete: keys, or --prefix <text>, or --stdin')
  }
  if (options.flag('stdin')) checkStdin(context.io, 'pipe keys in, a line each')
  const cache = await context.open(dryRun ? 'read' : 'write')
  if (prefix !== undefined) return deletePrefix(context, cache, prefix)
  const keys = options.flag('stdin') ? inputKeys(context) : operands.map(text => parseKey(text, options))
  const { removed, missing } = await removePages(context, cache, keys)
  if (!out.json) for (const key of missing) context.note(`there is no key ${keyText(cache, key)}`)
  const document = { deleted: removed, missing: missing.map(key => keyJson(cache, key)), dryRun }
  await out.show(document, [dryRun ? `${removed} would be deleted` : `${removed} deleted`])
  return missing.length === 0 ? EXIT.done : EXIT.no
}

async function deletePrefix(context: Context, cache: Cache | FanoutCache, prefix: string): Promise<number> {
  const { dryRun, out } = context
  const listing = { prefix, includeExpired: true }
  const count = (): Promise<number> => countOf(context, cache.keys(listing))
  if (dryRun) {
    const deleted = await count()
    await out.show({ deleted, dryRun }, [`${deleted} would be deleted`])
    return EXIT.done
  }
  const question = async (): Promise<string> =>
    `Delete ${await count()} entries that begin with '${prefix}' in ${cache.directory}?`
  if (!(await confirmed(context, question))) return EXIT.no
  const { removed } = await removePages(context, cache, context.listed(cache.keys(listing)))
  await out.show({ deleted: removed, dryRun }, [`${removed} deleted`])
  return EXIT.done
}

async function removePages(
  context: Context,
  cache: Cache | FanoutCache,
  keys: AsyncIterable<Key> | Iterable<Key>,
): Promise<{ readonly removed: number; readonly missing: readonly Key[] }> {
  const missing: Key[] = []
  const bar = progress(context.io, { what: 'deleting' })
  let removed = 0
  let page: Key[] = []
  const end = async (): Promise<void> => {
    context.signal.throwIfAborted()
    const answers = context.dryRun
      ? await Promise.all(page.map(key => context.answer(cache.has(key))))
      : await context.answer(cache.deleteMany(page, { retry: true, ...context.patience }))
    answers.forEach((was, at) => {
      if (was) removed++
      else missing.push(page[at] as Key)
    })
    bar.advance(page.length)
    page = []
  }
  try {
    for await (const key of keys) if (page.push(key) >= KEYS_PER_PAGE) await end()
    if (page.length > 0) await end()
  } finally {
    bar.end()
  }
  return { removed, missing }
}
