import { isBusy } from '../database/busy.js'
import type { KeyIdentity } from '../disk/keys.js'
import { DiskCacheError } from '../errors.js'
import type { Shard } from '../shards/shard.js'
import type { ResolvedWaiting } from './verb-options.js'

/**
 * Reads in its place among the writes that wait, so that it sees those which were called before it and none that was
 * called later. `undefined` when they take too long: then the committed row is the answer.
 */
export async function readInOrder<T>(
  shard: Shard,
  identity: KeyIdentity | undefined,
  { wait, signal }: ResolvedWaiting,
  read: () => T | Promise<T>,
): Promise<{ readonly value: T } | undefined> {
  let last: T | Promise<T> | undefined
  const run = (): { readonly value: T | Promise<T> } => {
    // Its batch was undone, and runs again.
    abandon(last)
    last = read()
    // Until the batch is committed nobody waits for it.
    if (last instanceof Promise) last.catch(() => undefined)
    return { value: last }
  }
  const order = identity === undefined ? { barrier: true } : { identity }
  const deadline = performance.now() + wait
  try {
    const { value } = await shard.write({ run, ...order }, { deadline, signal })
    return { value: await value }
  } catch (error) {
    abandon(last)
    if (isBusy(error) || (error instanceof DiskCacheError && error.refusal !== undefined)) return undefined
    throw shard.translate(error)
  }
}

/** What was read is given to nobody: a file that it has opened is closed. */
function abandon(read: unknown): void {
  if (!(read instanceof Promise)) return
  read.then(value => (value as Partial<AsyncDisposable> | undefined)?.[Symbol.asyncDispose]?.()).catch(() => undefined)
}
