import type { Work } from '../database/job.js'
import type { Session } from '../database/session.js'
import { DiskFullError, TimeoutError } from '../errors.js'
import { endOwnGrace, hasOwnGrace } from '../operations/grace.js'
import { performance } from '../timers.js'
import type { Shard } from './shard.js'

/** How long closing waits for the lock. Milliseconds. */
const PATIENCE = 1000

/** Writes marks and ends the grace of files before a shard closes, if the lock is free. */
export async function lastWrite(shard: Shard, session: Session): Promise<void> {
  const { marks, disk } = shard
  const work: Work<void> = {
    optional: true,
    run: current => {
      marks.writeAll(current, disk.now(), Number.POSITIVE_INFINITY)
      endOwnGrace(current, disk.now())
    },
  }
  try {
    if (!marks.dirty && !hasOwnGrace(session, disk.now())) return
    await shard.write(work, { deadline: performance.now() + Math.min(shard.options.timeout, PATIENCE) })
  } catch (error) {
    marks.drop()
    const known = shard.translate(error)
    if (!(known instanceof TimeoutError || known instanceof DiskFullError)) shard.events.failed(known as Error)
  }
}
