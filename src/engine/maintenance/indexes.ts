import { EVICTION_POLICIES } from '../database/eviction-policies.js'
import { TAG_INDEX } from '../database/schema.js'
import type { Session } from '../database/session.js'
import { StorageError } from '../errors.js'
import type { Shard } from '../shards/shard.js'
import { runTask } from './worker-client.js'

/** Up to this many rows an index is created at once, with more in a worker thread. A million rows take seconds. */
const FEW_ROWS = 5000
const TAG_INDEX_NAME = 'Cache_tag_rowid'

/** Creates missing indexes that the settings require, and drops the tag index when it is switched off. */
export async function ensureIndexes(shard: Shard): Promise<void> {
  const { settings, current } = shard
  if (!current || shard.options.readonly) return
  const policy = EVICTION_POLICIES[settings.evictionPolicy].index
  if (policy && !current.indexes.has(policy.name)) await createIndex(shard, policy.name, policy.sql)
  if (settings.tagIndex && !current.tagIndex) await createIndex(shard, TAG_INDEX_NAME, TAG_INDEX)
  if (!settings.tagIndex && current.tagIndex) await dropTagIndex(shard)
}

async function createIndex(shard: Shard, name: string, sql: string): Promise<void> {
  await shard.writer.settled()
  const count = Number(shard.current?.statements.get('setting', 'count') ?? 0)
  if (count > FEW_ROWS) await createInThread(shard.directory, sql)
  await shard.write(
    {
      run: session => {
        session.db.exec(sql)
        session.afterCommit(() => setIndexes(session, [...session.indexes, name]))
      },
    },
    { deadline: Number.POSITIVE_INFINITY },
  )
}

async function createInThread(directory: string, sql: string): Promise<void> {
  try {
    await runTask({ task: 'index', directory, sql })
  } catch (error) {
    throw new StorageError(directory, 'creating an index failed', { cause: error })
  }
}

async function dropTagIndex(shard: Shard): Promise<void> {
  await shard.write(
    {
      run: session => {
        session.db.exec(`DROP INDEX IF EXISTS ${TAG_INDEX_NAME}`)
        session.afterCommit(() =>
          setIndexes(
            session,
            [...session.indexes].filter(name => name !== TAG_INDEX_NAME),
          ),
        )
      },
    },
    { deadline: Number.POSITIVE_INFINITY },
  )
}

function setIndexes(session: Session, names: readonly string[]): void {
  session.indexes = new Set(names)
  session.tagIndex = session.indexes.has(TAG_INDEX_NAME)
}
