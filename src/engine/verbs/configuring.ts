import type { CacheHandle } from '../cache-handle.js'
import { resolveChange, type SettingsGiven } from '../cache-options.js'
import { storeSettings } from '../database/schema-write.js'
import type { Session } from '../database/session.js'
import { applyPragmas, type StoredSettings } from '../database/settings.js'
import { TimeoutError } from '../errors.js'
import { nextTurn, turnIsLong } from '../fairness.js'
import { ensureIndexes } from '../maintenance/indexes.js'
import type { Settings, SettingsChange } from '../options.js'
import { trackInAll } from '../shards/closing.js'
import type { Shard } from '../shards/shard.js'
import { shareOf, wholeItems, wholeSize } from '../shards/shares.js'
import { performance } from '../timers.js'
import { patienceOf, readPatiently, sessionOf } from './reading.js'
import type { ResolvedWaiting } from './verb-options.js'

/** @param waiting by default a FanoutCache waits without limit, and a Cache for its `timeout` */
export function configure(handle: CacheHandle, given: SettingsChange, waiting?: ResolvedWaiting): Promise<Settings> {
  return trackInAll(handle.shards, configureAll(handle, given, waiting))
}

async function configureAll(
  handle: CacheHandle,
  given: SettingsChange,
  waiting: ResolvedWaiting | undefined,
): Promise<Settings> {
  const resolved = resolveChange(given)
  handle.assertWritable()
  const { shards } = handle
  const change = { ...(await withoutCopied(handle, resolved)), realSizeLimit: handle.kind === 'FanoutCache' }
  const changes = shards.map((_, at) => shareOf(change, shards.length, at))
  await Promise.all(shards.map((shard, at) => configureShard(handle, shard, changes[at] ?? {}, waiting)))
  giveInstead(handle, resolved)
  return settings(handle, shards)
}

/** Puts settings in the place of those that the cache was made with, which its next opening would store again. */
function giveInstead(handle: CacheHandle, change: SettingsGiven): void {
  const { options } = handle
  const local = (name: string): string => name.replace(/^(disk|sqlite)\./, '')
  const changed = new Map<string, unknown>(Object.entries(change))
  const present = ([name, value]: [string, unknown]): [string, unknown] => {
    return [name, changed.has(local(name)) ? changed.get(local(name)) : value]
  }
  const given = new Map([...options.given].map(present))
  handle.options = { ...options, given, settings: { ...options.settings, ...sharedWith(options.settings, change) } }
}

/** The part of a change that concerns what was given. */
function sharedWith(given: SettingsGiven, change: SettingsGiven): SettingsGiven {
  return Object.fromEntries(Object.entries(change).filter(([name]) => name in given))
}

/**
 * Accepts settings as `settings()` returned them: drops an unchanged `autoVacuum`, and an unchanged `mmapSize`, which
 * was copied with it and must not switch on memory mapping.
 *
 * @throws TypeError for another `sqlite.autoVacuum`
 */
async function withoutCopied(handle: CacheHandle, change: SettingsGiven): Promise<SettingsGiven> {
  const { autoVacuum, mmapSize, ...others } = change
  if (autoVacuum === undefined) return change
  const { sqlite } = await settings(handle)
  if (autoVacuum !== sqlite.autoVacuum) {
    throw new TypeError('configure: sqlite.autoVacuum takes effect only when a directory is made')
  }
  return mmapSize === undefined || mmapSize === sqlite.mmapSize ? others : { ...others, mmapSize }
}

async function configureShard(
  handle: CacheHandle,
  shard: Shard,
  change: Partial<StoredSettings>,
  waiting: ResolvedWaiting | undefined,
): Promise<void> {
  const run = (session: Session): void => {
    storeSettings(session.db, change)
    session.afterCommit(() => {
      shard.applySettings(change)
      Object.assign(shard.options.given, sharedWith(shard.options.given, change))
    })
  }
  await writePatiently(handle, shard, { run, barrier: true }, waiting)
  const { current } = shard
  if (current)
    applyPragmas(
      current.db,
      current.settings,
      shard.options.shards,
      change.mmapSize ?? shard.options.given.mmapSize ?? 0,
    )
  if (current && change.journalMode !== undefined) {
    // While others have the database open, the mode is only stored, and changes at the next opening.
    await readPatiently(shard, handle.options.timeout, () =>
      sessionOf(shard).db.pragma(`journal_mode = ${change.journalMode}`),
    ).catch(error => handle.unread(error))
  }
  await ensureIndexes(shard)
  shard.culler.lookSoon()
}

/** Writes settings. Such writes are not refused: by default a FanoutCache waits for the lock without limit. */
export async function writePatiently(
  handle: CacheHandle,
  shard: Shard,
  work: Parameters<Shard['write']>[0],
  waiting: ResolvedWaiting = {
    wait: handle.kind === 'FanoutCache' ? Number.POSITIVE_INFINITY : handle.options.timeout,
  },
): Promise<void> {
  try {
    await shard.write(work, { deadline: performance.now() + waiting.wait, signal: waiting.signal })
  } catch (error) {
    if (error instanceof TimeoutError) handle.gaveUp()
    throw error
  }
}

export async function settings(handle: CacheHandle, shards: readonly Shard[] = handle.shards): Promise<Settings> {
  if (turnIsLong()) {
    await trackInAll(shards, nextTurn())
  }
  const stored = await Promise.all(
    shards.map(shard =>
      readPatiently(shard, patienceOf(handle), () => {
        shard.refreshSettings()
        return shard.settings
      }).catch(error => {
        // A FanoutCache returns the settings known last.
        handle.unread(error)
        return shard.settings
      }),
    ),
  )
  return wholeSettings(stored)
}

/** Combines the settings of all shards: limits are added up. */
function wholeSettings(stored: readonly StoredSettings[]): Settings {
  const first = stored[0] as StoredSettings
  return {
    statistics: first.statistics,
    tagIndex: first.tagIndex,
    evictionPolicy: first.evictionPolicy,
    sizeLimit: wholeSize(stored),
    maxItems: wholeItems(stored),
    cullLimit: first.cullLimit,
    disk: { minFileSize: first.minFileSize, unlinkGrace: first.unlinkGrace * 1000 },
    sqlite: {
      cacheSize: first.cacheSize,
      mmapSize: first.mmapSize,
      journalMode: first.journalMode,
      synchronous: first.synchronous,
      autoVacuum: first.autoVacuum,
    },
  }
}
