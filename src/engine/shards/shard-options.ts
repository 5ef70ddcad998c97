import type { StoredSettings } from '../database/settings.js'
import type { PendingLimits } from '../database/writer.js'
import type { Codec } from '../disk/codec.js'
import type { FileModes } from '../disk/value-folders.js'
import type { Counters } from '../observe/counters.js'
import type { Victim } from '../operations/culling.js'
import type { Clock } from '../time.js'

/** What one database of a cache is opened with. */
export interface ShardOptions {
  readonly codec: Codec
  readonly clock: Clock
  readonly modes: FileModes
  readonly readonly: boolean
  readonly onCorrupt: 'throw' | 'quarantine'
  /** Milliseconds. */
  readonly timeout: number
  readonly maxPending: PendingLimits
  readonly shards: number
  /** What is counted of the whole cache. */
  readonly counters: Counters
  /** The directory of the whole cache, where it is not the shard's own: paths are told relative to it. */
  readonly root: string | undefined
  /** Makes the directories of all shards, before one is opened. */
  readonly prepareDirectory: () => void
  /** Settings of a new directory, where they differ from DiskCache's defaults. */
  readonly initial: Partial<StoredSettings>
  /** Settings given by the user, this shard's share of them. */
  readonly given: Partial<StoredSettings>
}

/** What a shard tells the cache it belongs to. */
export interface ShardEvents {
  evicted(victims: readonly Victim[]): void
  quarantined(directory: string, path: string, error: Error): void
  failed(error: Error): void
  /** Given settings were stored with the first write to one shard: they are due in all. */
  settingsStored(): void
}
