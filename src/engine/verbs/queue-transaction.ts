import type { QueueTransaction } from '../contract.js'
import type { Session } from '../database/session.js'
import type { EntryRow } from '../database/statements.js'
import { deleteRow } from '../operations/entries.js'
import { peek, peekItem, pull, push } from '../operations/queue.js'
import type { Item, Key, Peeking, Pulling, Pushing } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { CacheTransaction, readEntry } from './cache-transaction.js'
import type { ResolvedListing } from './listing-options.js'
import { storedValue } from './open-transaction.js'
import { checkPeekItem } from './queue.js'
import { itemOf, toInfo } from './reading.js'
import { checkQueue, type HeadOf } from './storing.js'
import { listRows } from './transaction-listing.js'
import { checkVerbOptions } from './verb-options.js'

/** The verbs of a transaction of a `Cache`, with its queue. */
export class CacheQueueTransaction extends CacheTransaction implements QueueTransaction {
  push(value: unknown, options?: Pushing, headOf?: HeadOf): Key {
    checkVerbOptions(options, 'push', 'pushing')
    const { head, side } = checkQueue(options, 'back', headOf)
    const { session, shard } = this.#shard()
    return this.savepoint(session, () => push(session, this.newEntry(shard, value, options, 'push'), head, side))
  }

  pull<T = unknown>(options?: Pulling, headOf?: HeadOf): Item<T> | undefined {
    checkVerbOptions(options, 'pull', 'pulling')
    const { head, side } = checkQueue(options, 'front', headOf)
    const { session, shard } = this.#shard()
    return this.savepoint(session, () => {
      for (;;) {
        const taken = pull(session, head, side, shard.disk.now())
        const item = this.taken<T>(session, taken)
        if (item || !taken) return item
      }
    })
  }

  peek<T = unknown>(options?: Pulling, headOf?: HeadOf): Item<T> | undefined {
    checkVerbOptions(options, 'peek', 'pulling')
    const { head, side } = checkQueue(options, 'front', headOf)
    return this.#look<T>((session, now) => peek(session, head, side, now))
  }

  /** @param prefix of the text keys among which it looks. Default: among all */
  peekItem<T = unknown>(options?: Pick<Peeking, 'last'>, prefix?: string): Item<T> | undefined {
    const last = checkPeekItem(options)
    if (prefix !== undefined)
      return this.#lookThrough<T>({ prefix, tag: undefined, reverse: last, includeExpired: false })
    return this.#look<T>((session, now) => peekItem(session, last, now))
  }

  #look<T>(find: (session: Session, now: number) => EntryRow | undefined): Item<T> | undefined {
    const { session, shard } = this.#shard()
    return this.savepoint(session, () => {
      for (;;) {
        const row = find(session, shard.disk.now())
        const value = row && storedValue(session, row)
        if (row && value) return itemOf<T>(toInfo(session, row), value.value)
        if (!row) return undefined
        // Its file is missing, so it has no value.
        deleteRow(session, row[0], row[10], row[8])
      }
    })
  }

  #lookThrough<T>(listing: ResolvedListing): Item<T> | undefined {
    for (const [session, [, data, raw]] of listRows(this.sessions(), listing)) {
      const found = readEntry(session, { data, raw: raw !== 0 })
      if (found) return itemOf<T>(toInfo(session, found.row), found.value as T)
    }
    return undefined
  }

  #shard(): { session: Session; shard: Shard } {
    const [session] = this.sessions()
    return { session: session as Session, shard: this.scope.shards[0] as Shard }
  }
}
