import type { CacheHandle } from '../cache-handle.js'
import { resolveChange } from '../cache-options.js'
import { storeSettings } from '../database/schema-write.js'
import type { Session } from '../database/session.js'
import { applyPragmas, type StoredSettings } from '../database/settings.js'
import { ensureIndexes } from '../maintenance/indexes.js'
import type { Settings, SettingsChange } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { shareOf } from '../shards/shares.js'
import { readPatiently, sessionOf } from './reading.js'
import { patiently, settings } from './upkeep.js'
import type { ResolvedWaiting } from './verb-options.js'

/** @param waiting without it a FanoutCache waits as long as it takes, and a Cache for its `timeout` */
export async function configure(
  handle: CacheHandle,
  given: SettingsChange,
  waiting?: ResolvedWaiting,
): Promise<Settings> {
  const whole = resolveChange(given)
  handle.assertWritable()
  const { shards } = handle
  const change = { ...whole, realSizeLimit: handle.kind === 'FanoutCache' }
  const changes = shards.map((_, at) => shareOf(change, shards.length, at))
  await Promise.all(shards.map((shard, at) => configureShard(handle, shard, changes[at] ?? {}, waiting)))
  return settings(handle)
}

async function configureShard(
  handle: CacheHandle,
  shard: Shard,
  change: Partial<StoredSettings>,
  waiting: ResolvedWaiting | undefined,
): Promise<void> {
  const run = (session: Session): void => {
    storeSettings(session.db, change)
    session.afterCommit(() => shard.applySettings(change))
  }
  await patiently(handle, shard, { run, barrier: true }, waiting)
  const { current } = shard
  if (current)
    applyPragmas(
      current.db,
      current.settings,
      shard.options.shards,
      change.mmapSize ?? shard.options.given.mmapSize ?? 0,
    )
  if (current && change.journalMode !== undefined) {
    // Others have it open: it is stored, and changes when the database is opened the next time.
    await readPatiently(shard, handle.options.timeout, () =>
      sessionOf(shard).db.pragma(`journal_mode = ${change.journalMode}`),
    ).catch(error => handle.unread(error))
  }
  await ensureIndexes(shard)
  shard.culler.lookSoon()
}
