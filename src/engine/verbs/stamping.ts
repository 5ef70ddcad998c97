import type { CacheHandle } from '../cache-handle.js'
import type { Session } from '../database/session.js'
import { type RemovalScope, stampRemoval } from '../operations/stamps.js'
import { performance } from '../timers.js'

/**
 * Leaves a removal stamp in all shards. Do so before the removal: what is computed meanwhile is then refused by its
 * stamp, or is there to be removed.
 *
 * @param wait milliseconds
 */
export async function stampAll(handle: CacheHandle, scope: RemovalScope, wait: number): Promise<void> {
  handle.assertWritable()
  const run = (session: Session): void => stampRemoval(session, scope)
  const deadline = performance.now() + wait
  await Promise.all(handle.shards.map(shard => shard.write({ run }, { deadline })))
}
