import type { Context } from './context.js'

/** Asks before a removal, and tells when nothing is removed. */
export async function confirmed(context: Context, question: () => Promise<string>): Promise<boolean> {
  if (await context.confirm(question)) return true
  context.note('nothing was changed')
  return false
}

/** Counts the items of a listing. */
export async function countOf(context: Context, keys: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  for await (const _key of context.listed(keys)) {
    context.signal.throwIfAborted()
    count++
  }
  return count
}
