import { countExpired } from '../../engine/for-cli.js'
import type { Cache, FanoutCache } from '../../engine/index.js'
import type { Command } from '../command.js'
import { confirmed, countOf } from '../confirming.js'
import type { Context } from '../context.js'
import { EXIT } from '../exit-codes.js'
import { parseTag, TAG_JSON, tagText } from '../keys.js'
import { progress } from '../progress.js'
import { bytesText } from '../units.js'

const LOOK_MILLISECONDS = 250

export const expire: Command = {
  name: 'expire',
  summary: 'remove what has expired',
  group: 'Change:',
  operands: '',
  options: [],
  destroys: true,
  examples: [
    ['expire ./cache', 'now, instead of little by little with later writes'],
    ['expire ./cache --dry-run', 'how many entries have expired'],
  ],
  run: async context => {
    const cache = await context.open(context.dryRun ? 'read' : 'write')
    const removed = context.dryRun
      ? await context.answer(countExpired(cache))
      : await removing(context, cache, () => cache.expire(bulk(context)))
    return tellRemoved(context, removed)
  },
}

export const evict: Command = {
  name: 'evict',
  summary: 'remove the entries with a tag',
  group: 'Change:',
  operands: '<tag>',
  options: [TAG_JSON],
  destroys: true,
  examples: [
    ['evict ./cache texts --dry-run', 'how many have the tag'],
    ['evict ./cache texts --yes', 'remove them, without being asked'],
    ['evict ./cache 42 --tag-json --yes', 'a tag that is a number'],
  ],
  run: async context => {
    const tag = parseTag(context.operands[0] ?? '', context.options)
    const cache = await context.open(context.dryRun ? 'read' : 'write')
    const count = async (): Promise<number> => countOf(context, cache.keys({ tag, includeExpired: true }))
    if (context.dryRun) return tellRemoved(context, await count())
    const question = async (): Promise<string> =>
      `Remove ${await count()} entries with the tag '${tagText(tag)}' from ${cache.directory}?`
    if (!(await confirmed(context, question))) return EXIT.no
    return tellRemoved(context, await removing(context, cache, () => cache.evict(tag, bulk(context))))
  },
}

export const cull: Command = {
  name: 'cull',
  summary: 'remove what has expired, then evict until the limits hold',
  group: 'Change:',
  operands: '',
  options: [],
  destroys: true,
  examples: [
    ['cull ./cache --dry-run', 'how far the cache is beyond its limits'],
    ['cull ./cache --yes', 'bring it back to them'],
  ],
  details: 'Writes do the same, a few entries at a time. After sizeLimit was lowered this does it at once.',
  run: cullNow,
}

export const clear: Command = {
  name: 'clear',
  summary: 'remove all entries',
  group: 'Change:',
  operands: '',
  options: [],
  destroys: true,
  examples: [
    ['clear ./cache', 'asks first'],
    ['clear ./cache --yes', 'for scripts'],
  ],
  details: 'Settings stay. What is stored while it runs stays as well.',
  run: async context => {
    const cache = await context.open(context.dryRun ? 'read' : 'write')
    if (context.dryRun) return tellRemoved(context, await context.answer(cache.count()))
    const question = async (): Promise<string> =>
      `Remove all ${await context.answer(cache.count())} entries from ${cache.directory}?`
    if (!(await confirmed(context, question))) return EXIT.no
    return tellRemoved(context, await removing(context, cache, () => cache.clear(bulk(context)), { isAll: true }))
  },
}

async function cullNow(context: Context): Promise<number> {
  const cache = await context.open(context.dryRun ? 'read' : 'write')
  const excess = async (): Promise<Excess> => excessOf(context, cache)
  if (context.dryRun) {
    const found = await excess()
    await context.out.show({ ...found, dryRun: true }, [excessText(found)])
    return EXIT.done
  }
  const question = async (): Promise<string> => `${excessText(await excess())} in ${cache.directory}. Remove it?`
  if (!(await confirmed(context, question))) return EXIT.no
  return tellRemoved(context, await removing(context, cache, () => cache.cull(bulk(context))))
}

interface Excess {
  readonly expired: number
  readonly excessBytes: number
  readonly excessItems: number
}

async function excessOf(context: Context, cache: Cache | FanoutCache): Promise<Excess> {
  const { sizeLimit, maxItems } = await context.answer(cache.settings())
  const expired = await context.answer(countExpired(cache))
  const count = await context.answer(cache.count())
  return {
    expired,
    excessBytes: Math.max(0, (await context.answer(cache.volume())) - sizeLimit),
    excessItems: maxItems === null ? 0 : Math.max(0, count - expired - maxItems),
  }
}

function excessText({ expired, excessBytes, excessItems }: Excess): string {
  const items = excessItems > 0 ? ` and ${excessItems} entries` : ''
  return `${expired} expired, ${bytesText(excessBytes)}${items} beyond the limits`
}

/** The waiting options of a bulk removal, each page of which waits for the lock. */
function bulk({ patience }: Context): object {
  return { retry: true, ...patience }
}

/** Awaits a removal with a bar, which follows the count of entries as it decreases page by page. */
async function removing(
  context: Context,
  cache: Cache | FanoutCache,
  remove: () => Promise<number>,
  { isAll }: { readonly isAll: boolean } = { isAll: false },
): Promise<number> {
  const before = await context.answer(cache.count())
  const bar = progress(context.io, { what: 'removing', ...(isAll && { total: before }) })
  let looking = Promise.resolve()
  const timer = setInterval(() => {
    looking = cache.count().then(
      count => bar.set(Math.max(0, before - count)),
      // A failure of the bar must not fail the command.
      () => undefined,
    )
  }, LOOK_MILLISECONDS)
  try {
    return await context.answer(remove())
  } finally {
    clearInterval(timer)
    await looking
    bar.end()
  }
}

async function tellRemoved({ out, dryRun }: Context, removed: number): Promise<number> {
  await out.show({ removed, dryRun }, [dryRun ? `${removed} would be removed` : `${removed} removed`])
  return EXIT.done
}
