import type { Session } from '../database/session.js'
import type { EntryRow } from '../database/statements.js'
import type { Shard } from '../shards/shard.js'

/** The session of a shard inside a transaction. */
export function openSession(shard: Shard): Session {
  const session = shard.current
  // After SQLITE_FULL and some other errors SQLite has rolled back by itself: going on would commit halves.
  if (!session?.db.inTransaction) {
    throw session?.lostBy ?? new TypeError('this transaction was rolled back after an error')
  }
  return session
}

/** The value of a row, read at once; `undefined` when its file is missing or short. */
export function storedValue(session: Session, row: EntryRow): { readonly value: unknown } | undefined {
  const [, , , , , , , , size, mode, filename, data] = row
  if (filename === null) return { value: session.disk.decode(mode, data) }
  const bytes = session.disk.files.readSync(filename, size)
  return bytes && { value: session.disk.decode(mode, bytes) }
}

/** A savepoint; a transaction that SQLite has rolled back by itself has nothing left to roll back. */
export function openSavepoint(session: Session): { release(): void; rollBack(error: unknown): void } {
  const mark = session.mark()
  session.statements.run('savepoint')
  return {
    release: () => session.statements.run('release'),
    rollBack: error => {
      if (session.db.inTransaction) {
        session.statements.run('rollbackTo')
        session.statements.run('release')
      } else session.lostBy ??= error
      session.undoTo(mark)
    },
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** The body was asynchronous: what it does after its first await would run outside of the transaction. */
export function promiseError(promise: PromiseLike<unknown>): TypeError {
  // Its own failure has no one to go to any more.
  promise.then(undefined, () => undefined)
  return new TypeError('the body of transact must be synchronous: it returned a promise, and was rolled back')
}
