import { AsyncResource } from 'node:async_hooks'
import type { CacheHandle } from '../cache-handle.js'
import { commitSpinning, rollBack, start } from '../database/group-commit.js'
import { backoff, SPIN_MILLISECONDS, tryBegin } from '../database/lock-attempts.js'
import type { Session } from '../database/session.js'
import { isBusy, isCorruption, isLostSchema, isReadonly } from '../database/sqlite-errors.js'
import { isThenable } from '../disk/describe.js'
import { placeOf } from '../disk/key-hash.js'
import { StorageError, TimeoutError } from '../errors.js'
import { kindOf } from '../option-names.js'
import type { Key, Transacting } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { performance, sleep } from '../timers.js'
import { translateError } from '../translate-error.js'
import type { TransactionScope } from './cache-transaction.js'
import { openSession, promiseError } from './open-transaction.js'
import { checkVerbOptions, type ResolvedWaiting, resolveWaiting } from './verb-options.js'

/** The shortest time for which the further commits are retried after the first one succeeded. */
const LATER_COMMITS_MILLISECONDS = 1000

/** The transaction object of a body. Its verbs work until `end()`. */
export interface Endable {
  end(): void
}

/** Runs the body of a user in a transaction over the shards it concerns. */
export async function transactOver<T, Tx extends Endable>(
  handle: CacheHandle,
  body: (tx: Tx) => T,
  options: Transacting | undefined,
  makeTransaction: (scope: TransactionScope) => Tx,
): Promise<T> {
  checkVerbOptions(options, 'transact', 'transacting')
  if (typeof body !== 'function') {
    throw new TypeError(`transact: the body must be a function, got ${kindOf(body)}`)
  }
  handle.assertWritable()
  const waiting = resolveWaiting(options, handle.options.timeout)
  const shards = shardsOf(handle, options?.keys)
  const tx = makeTransaction(scopeOf(handle, shards))
  // It runs when the writer gets to it, in whoever's turn: contexts such as that of a request are those of its caller.
  const run = AsyncResource.bind((): T => runBody(shards, tx, body), 'fanout-cache transact')
  const [only] = shards
  // The COMMIT of a rollback journal waits for readers, which may take a while, and the body must run only once.
  if (shards.length === 1 && only && only.settings.journalMode === 'wal') {
    const work = { run, alone: true, barrier: true }
    return handle.write<T>(only, work, { options, refused: undefined as T })
  }
  try {
    return await transactAcross(shards, run, waiting)
  } catch (error) {
    return handle.refusal(translateError(error, handle.directory), { refused: undefined as T })
  }
}

function runBody<T, Tx extends Endable>(shards: readonly Shard[], tx: Tx, body: (tx: Tx) => T): T {
  try {
    const result = body(tx)
    if (isThenable(result)) throw promiseError(result)
    // A body that caught the error of a full disk and went on must not commit in any shard.
    for (const shard of shards) openSession(shard)
    return result
  } finally {
    tx.end()
  }
}

function shardsOf(handle: CacheHandle, keys: readonly Key[] | undefined): Shard[] {
  if (keys === undefined) return [...handle.shards]
  if (!Array.isArray(keys) || keys.length === 0)
    throw new TypeError(`transact: keys must be an array of at least one key, got ${kindOf(keys)}`)
  const wanted = new Set(keys.map(key => handle.route(handle.encodeKey(key))))
  // In the order of shards, so that two transactions never deadlock.
  return handle.shards.filter(shard => wanted.has(shard))
}

/** The scope of a body. It stays valid while the cache is closing, since closing waits for the body. */
function scopeOf(handle: CacheHandle, shards: readonly Shard[]): TransactionScope {
  const all = handle.shards
  return {
    shards,
    defaultTtl: handle.options.defaultTtl,
    encodeKey: key => handle.encodeKey(key),
    route: key => {
      const shard = placeOf(key, all)
      if (shards.includes(shard)) return shard
      throw new RangeError('this key lies in a shard outside of the transaction: name it in the option keys')
    },
  }
}

/**
 * Runs a transaction over several databases. It is isolated, but after a crash between the commits it is atomic only
 * for each shard.
 */
function transactAcross<T>(shards: readonly Shard[], run: () => T, waiting: ResolvedWaiting): Promise<T> {
  const deadline = deadlineOf(waiting)
  return acrossShards(shards, waiting, sessions => finish(shards, sessions, run, deadline))
}

/**
 * Begins on several databases and runs `work`, which commits or rolls back. BEGIN is tried on all of them in one
 * synchronous step. When one is busy, all are rolled back before waiting, so that none stays locked over a turn of the
 * loop until all are.
 */
export async function acrossShards<T>(
  shards: readonly Shard[],
  waiting: ResolvedWaiting,
  work: (sessions: readonly Session[]) => Promise<T>,
): Promise<T> {
  const deadline = deadlineOf(waiting)
  const releases: (() => void)[] = []
  let waitsSince: number | undefined
  let waited: { readonly milliseconds: number; readonly outcome: 'acquired' | 'missed' } | undefined
  try {
    await holdAll(shards, deadline, waiting.signal, releases)
    for (let failures = 0; ; failures++) {
      waiting.signal?.throwIfAborted()
      const attemptedAt = performance.now()
      const sessions = await openSessions(shards)
      if (beginAll(sessions)) {
        waited = waitsSince === undefined ? undefined : { milliseconds: attemptedAt - waitsSince, outcome: 'acquired' }
        return await work(sessions)
      }
      waitsSince ??= attemptedAt
      waited = { milliseconds: performance.now() - waitsSince, outcome: 'missed' }
      // The attempt also counts for the writes that wait behind this transaction.
      for (const shard of shards) shard.writer.refuseLate(attemptedAt)
      if (attemptedAt >= deadline) throw new TimeoutError(shards[0]?.directory ?? '')
      const wait = Math.min(backoff(failures), Math.max(0, deadline - performance.now()))
      await sleep(wait)
    }
  } catch (error) {
    // Each shard finds out itself whether it is the damaged one.
    if (isCorruption(error) || isLostSchema(error) || isReadonly(error))
      for (const shard of shards) shard.recover(error)
    throw error
  } finally {
    for (const release of releases) release()
    // The wait for all locks is reported once, for the first shard.
    if (waited) shards[0]?.watch.lockWaited(waited.milliseconds, waited.outcome)
  }
}

/**
 * Takes a place in the queues of all shards in one step. Later calls come later on every shard, and two transactions
 * that share shards have the same order on each of them.
 *
 * @param releases receives the functions that release each place, also when one of them was not granted
 */
async function holdAll(
  shards: readonly Shard[],
  deadline: number,
  signal: AbortSignal | undefined,
  releases: (() => void)[],
): Promise<void> {
  let failure: unknown
  for (const grant of await Promise.allSettled(shards.map(shard => hold(shard, deadline, signal)))) {
    if (grant.status === 'fulfilled') releases.push(grant.value)
    else failure ??= grant.reason
  }
  if (failure !== undefined) throw failure
}

function hold(shard: Shard, deadline: number, signal: AbortSignal | undefined): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const work = { run: () => undefined, alone: true, barrier: true, hold: resolve }
    shard.write(work, { deadline, signal }).catch(reject)
  })
}

async function openSessions(shards: readonly Shard[]): Promise<Session[]> {
  const sessions: Session[] = []
  for (const shard of shards) {
    let session = shard.session()
    // A reopening that is under way does not report why it fails. The second attempt does.
    for (let attempt = 1; !session && attempt <= 2; attempt++) {
      await shard.reopened()
      session = shard.current
    }
    if (!session) throw new StorageError(shard.directory, 'the database could not be opened again')
    sessions.push(session)
  }
  return sessions
}

/** Begins on every database, or on none. */
function beginAll(sessions: readonly Session[]): boolean {
  const until = performance.now() + SPIN_MILLISECONDS
  do {
    let error: unknown
    const refused = sessions.findIndex(session => {
      error = tryBegin(session)
      return error !== undefined
    })
    if (refused === -1) return true
    for (const session of sessions.slice(0, refused)) session.statements.run('rollback')
    if (!isBusy(error)) throw error
  } while (performance.now() < until)
  return false
}

async function finish<T>(
  shards: readonly Shard[],
  sessions: readonly Session[],
  run: () => T,
  deadline: number,
): Promise<T> {
  let result: T
  try {
    for (const [at, shard] of shards.entries()) {
      const session = sessions[at] as Session
      const { stored } = session
      // First, before listeners hear of evictions.
      session.afterCommit(() => shard.memory?.wrote(stored))
      shard.prologue(session)
    }
    result = run()
    for (const [at, shard] of shards.entries()) shard.epilogue(sessions[at] as Session)
  } catch (error) {
    for (const session of sessions) rollBack(session)
    throw error
  }
  await commitAll(sessions, deadline)
  return result
}

/** Commits one after the other. Earlier commits stay when a later one fails, and so do the files their rows name. */
export async function commitAll(sessions: readonly Session[], deadline: number): Promise<void> {
  const tasks: Promise<void>[] = []
  let committed = 0
  try {
    for (const session of sessions) {
      // Late is better than half: after the first commit the others get more time.
      const until = committed === 0 ? deadline : Math.max(deadline, performance.now() + LATER_COMMITS_MILLISECONDS)
      await commitPatiently(session, until)
      committed++
      const after = session.takeCommitTasks(1)
      tasks.push(...start(after, 0, after.length))
    }
  } catch (error) {
    for (const session of sessions.slice(committed)) rollBack(session)
    throw error
  } finally {
    await Promise.allSettled(tasks)
  }
}

/** Retries the COMMIT of a rollback journal, which waits for readers. No new readers start meanwhile. */
async function commitPatiently(session: Session, until: number): Promise<void> {
  for (let failures = 0; ; failures++) {
    try {
      return commitSpinning(session)
    } catch (error) {
      if (!isBusy(error) || performance.now() >= until) throw error
    }
    await sleep(backoff(failures))
  }
}

export function deadlineOf({ wait }: ResolvedWaiting): number {
  return performance.now() + wait
}
