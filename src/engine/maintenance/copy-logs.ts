import { dirname, join } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { type Connection, connect } from '../database/connection.js'
import { logIdentity } from '../database/open-files.js'
import { DATABASE_FILE, LONGEST_LOG, logBytes } from '../database/opening.js'
import { isBusy } from '../database/sqlite-errors.js'

/** Pages that came while others were copied, so few that writes may wait until they are copied too. */
const FEW_PAGES = 128
/** Where a log grows as fast as it is copied, writes wait for what is left after so many rounds, however much it is. */
const MOST_ROUNDS = 5

/** A log that is to be copied. */
export interface LogOrder {
  readonly directory: string
  /** Identity of the log. Another one at its place is left alone. */
  readonly log: string
  /** As in the settings: how SQLite syncs the files. */
  readonly synchronous: number
}

/** A message to the thread. `rest`: writes wait now, so that the rest of the log can be copied. */
export type LogMessage = LogOrder | 'rest'

/**
 * Whether the thread has copied the log, or as much of it as a reader of an old state lets it (`held`), found that
 * somebody else was copying it, or could not.
 */
export type Copying = 'copied' | 'held' | 'busy' | 'failed'

/** `nearly`: all but a few pages are copied, and the thread waits for the order to copy these. */
export type LogAnswer = Copying | 'nearly'

/**
 * Copies logs to their databases in this thread, whose messages say which. Neither writers nor readers wait meanwhile.
 *
 * @param stop flags: the first is set to stop the thread; the thread clears the second while it runs statements
 */
export function copyLogs(stop: Int32Array): Promise<never> {
  const copier = new LogCopier()
  parentPort?.on('message', (message: LogMessage) => {
    Atomics.store(stop, 1, 0)
    const answer = Atomics.load(stop, 0) === 0 ? copier.follow(message) : 'failed'
    Atomics.store(stop, 1, 1)
    Atomics.notify(stop, 1)
    parentPort?.postMessage(answer)
  })
  return new Promise(() => undefined)
}

class LogCopier {
  /** Open only while a log is copied, so that nothing keeps the files of a closed cache. */
  #db: Connection | undefined

  follow(message: LogMessage): LogAnswer {
    let answer: LogAnswer = 'failed'
    try {
      answer = message === 'rest' ? this.#copyRest() : this.#copyMost(message)
    } catch (error) {
      // Any other error is met again by the commit that copies the log when it has become too long.
      if (isBusy(error)) answer = 'busy'
    }
    if (answer !== 'nearly') this.#close()
    return answer
  }

  #copyMost({ directory, log, synchronous }: LogOrder): LogAnswer {
    const path = join(directory, DATABASE_FILE)
    if (logIdentity(path) !== log) return 'failed'
    const db = connect(path, { readonly: false, mustExist: true })
    this.#db = db
    db.pragma(`synchronous = ${synchronous}`)
    let before = 0
    for (let round = 1; round <= MOST_ROUNDS; round++) {
      const { busy, log: pages, checkpointed } = copyLog(db)
      if (busy !== 0) return 'busy'
      if (checkpointed < pages) return 'held'
      // A writer has begun the log anew.
      if (pages < before) return 'copied'
      // Also when nothing has come: the next commit may come before the answer, and would find the log not copied.
      if (pages - before <= FEW_PAGES) return 'nearly'
      before = pages
    }
    return 'nearly'
  }

  #copyRest(): Copying {
    if (!this.#db) return 'failed'
    const { busy, log: pages, checkpointed } = copyLog(this.#db)
    if (busy !== 0) return 'busy'
    if (checkpointed < pages) return 'held'
    // A reader of an old state has made it so long. Where others use it now, the next copy shortens it.
    if (logBytes(dirname(this.#db.name)) > LONGEST_LOG) this.#db.pragma('wal_checkpoint(TRUNCATE)')
    return 'copied'
  }

  #close(): void {
    this.#db?.close()
    this.#db = undefined
  }
}

interface LogState {
  readonly busy: number
  /** Pages in the log when it was looked at, and those of them that are copied. */
  readonly log: number
  readonly checkpointed: number
}

function copyLog(db: Connection): LogState {
  const [state] = db.pragma('wal_checkpoint(PASSIVE)') as LogState[]
  return state ?? { busy: 1, log: 0, checkpointed: 0 }
}
