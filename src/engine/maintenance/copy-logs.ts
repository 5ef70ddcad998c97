import { join } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { isBusy } from '../database/busy.js'
import { connect } from '../database/connection.js'
import { logIdentity } from '../database/open-files.js'
import { DATABASE_FILE } from '../database/opening.js'

/** A message to the thread: a log that is to be copied. */
export interface LogOrder {
  readonly id: number
  readonly directory: string
  /** Identity of the log. Another one at its place is left alone. */
  readonly log: string
  /** As in the settings: how SQLite syncs the files. */
  readonly synchronous: number
}

/** Whether the thread has copied the log, found that somebody else was copying it, or could not. */
export type Copying = 'copied' | 'busy' | 'failed'

export interface LogAnswer {
  readonly id: number
  readonly copying: Copying
}

/**
 * Copies logs to their databases in this thread, whose messages say which. Neither writers nor readers wait meanwhile.
 *
 * @param stop flags: the first is set to stop the thread; the thread clears the second while it runs statements
 */
export function copyLogs(stop: Int32Array): Promise<never> {
  parentPort?.on('message', ({ id, ...order }: LogOrder) => {
    Atomics.store(stop, 1, 0)
    const copying = Atomics.load(stop, 0) === 0 ? tryToCopy(order) : 'failed'
    Atomics.store(stop, 1, 1)
    Atomics.notify(stop, 1)
    parentPort?.postMessage({ id, copying } satisfies LogAnswer)
  })
  return new Promise(() => undefined)
}

function tryToCopy(order: Omit<LogOrder, 'id'>): Copying {
  try {
    return copyLog(order)
  } catch (error) {
    // Any other error is met again by the commit that copies the log when it has become too long.
    return isBusy(error) ? 'busy' : 'failed'
  }
}

/** A connection is opened for each copy, so that nothing keeps the files of a closed cache. */
function copyLog({ directory, log, synchronous }: Omit<LogOrder, 'id'>): Copying {
  const path = join(directory, DATABASE_FILE)
  if (logIdentity(path) !== log) return 'failed'
  const db = connect(path, { readonly: false, mustExist: true })
  try {
    db.pragma(`synchronous = ${synchronous}`)
    const [state] = db.pragma('wal_checkpoint(PASSIVE)') as { readonly busy: number }[]
    return state?.busy === 0 ? 'copied' : 'busy'
  } finally {
    db.close()
  }
}
