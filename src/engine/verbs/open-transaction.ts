import type { Session } from '../database/session.js'
import type { EntryRow } from '../database/statements.js'
import type { Shard } from '../shards/shard.js'

/** The session of a shard inside a transaction. */
export function openSession(shard: Shard): Session {
  const session = shard.current
  // After SQLITE_FULL and some other errors SQLite has rolled back by itself. Going on would commit half of the work.
  if (!session?.db.inTransaction) {
    throw session?.lostBy ?? new TypeError('this transaction was rolled back after an error')
  }
  return session
}

/** Reads the value of a row synchronously. `undefined` when its file is missing or too short. */
export function storedValue(session: Session, row: EntryRow): { readonly value: unknown } | undefined {
  const [, , , , , , , , size, mode, filename, data] = row
  if (filename === null) return { value: session.disk.decode(mode, data) }
  const bytes = session.disk.files.readSync(filename, size)
  return bytes && { value: session.disk.decode(mode, bytes) }
}

/** Opens a savepoint. Its `rollBack` also works after SQLite has rolled back the whole transaction by itself. */
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

/** Runs a part of a transaction in a savepoint, so that it leaves nothing behind when it fails. */
export function inSavepoint<T>(session: Session, run: () => T): T {
  const { release, rollBack } = openSavepoint(session)
  try {
    const result = run()
    release()
    return result
  } catch (error) {
    rollBack(error)
    throw error
  }
}

/** The error of an asynchronous body: after its first await it would run outside of the transaction. */
export function promiseError(promise: PromiseLike<unknown>): TypeError {
  // Nobody awaits the promise, so its failure must not count as unhandled.
  promise.then(undefined, () => undefined)
  return new TypeError('the body of transact must be synchronous: it returned a promise, and was rolled back')
}
