import type { Session } from '../database/session.js'
import { releaseLease } from '../operations/leases.js'
import { lastsOf } from '../operations/signs-of-life.js'
import type { Shard } from '../shards/shard.js'
import { LONGEST_TIMER } from '../time.js'
import { performance, setTimeout } from '../timers.js'

/**
 * Ends the lease of a computation in the background. Nobody in this process waits for it from now on. If that cannot be
 * written, it ends by itself for all others.
 */
export function giveUpLease(shard: Shard, { name, token }: { readonly name: string; readonly token: string }): void {
  const lasts = (lastsOf(token) ?? 0) * 1000
  const givenUp = shard.current?.givenUp.add(token)
  const forget = (): void => void givenUp?.delete(token)
  const forgetLater = (): void => void setTimeout(forget, Math.min(lasts, LONGEST_TIMER)).unref()
  const run = (session: Session): boolean => releaseLease(session, name, token)
  shard.write({ run }, { deadline: performance.now() + lasts }).then(forget, forgetLater)
}
