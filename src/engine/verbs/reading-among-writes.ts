import type { Session } from '../database/session.js'
import type { KeyIdentity } from '../disk/keys.js'
import type { Shard } from '../shards/shard.js'
import { performance } from '../timers.js'
import type { ResolvedWaiting } from './verb-options.js'

/**
 * Queues a read among the pending writes, so that it sees those called before it and none called later. `undefined`
 * when they fail or take too long; the caller then reads the committed row, and meets what concerns reading itself.
 */
export async function readInOrder<T>(
  shard: Shard,
  identity: KeyIdentity | undefined,
  { wait, signal }: ResolvedWaiting,
  read: () => T | Promise<T>,
): Promise<{ readonly value: T } | undefined> {
  const { run, abandon } = readAmongWrites(read)
  const order = identity === undefined ? { barrier: true } : { identity }
  const deadline = performance.now() + wait
  try {
    const { value } = await shard.write({ run, ...order }, { deadline, signal })
    return { value: await value }
  } catch {
    abandon()
    signal?.throwIfAborted()
    return undefined
  }
}

/** A read that runs inside a batch of writes. */
interface ReadAmongWrites<T> {
  run(session: Session): { readonly value: T | Promise<T> }
  /** Called when nobody wants the result any more. */
  abandon(): void
}

/**
 * Makes a read repeatable, because a batch that is rolled back runs again with the reads in it. Files opened by an
 * earlier run are closed, and its accesses are not noted.
 */
function readAmongWrites<T>(read: () => T | Promise<T>): ReadAmongWrites<T> {
  let last: T | Promise<T> | undefined
  const abandon = (): void => {
    if (last === undefined) return
    Promise.resolve(last)
      .then(close)
      .catch(() => undefined)
    last = undefined
  }
  const run = (session: Session): { readonly value: T | Promise<T> } => {
    abandon()
    session.amongWrites = true
    try {
      const value = read()
      last = value
      if (value instanceof Promise) value.catch(() => undefined)
      return { value }
    } finally {
      session.amongWrites = false
    }
  }
  return { run, abandon }
}

function close(read: unknown): unknown {
  const opened = read as Partial<AsyncDisposable> | null | undefined
  return typeof opened === 'object' ? opened?.[Symbol.asyncDispose]?.() : undefined
}

/** One run of a read. `inVain`: the batch was rolled back. */
export interface Run {
  readonly inVain: boolean
}

const LAST: Run = { inVain: false }

/** The present run, for reads that continue after the transaction has ended. */
export function runOf(session: Session): Run {
  if (!session.amongWrites) return LAST
  const run = { inVain: false }
  session.afterRollback(() => {
    run.inVain = true
  })
  return run
}
