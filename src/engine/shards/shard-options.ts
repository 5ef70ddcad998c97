import type { StoredSettings } from '../database/settings.js'
import type { PendingLimits } from '../database/writer.js'
import type { Codec } from '../disk/codec.js'
import type { FileModes } from '../disk/value-folders.js'
import type { Counters } from '../observe/counters.js'
import type { Victim } from '../operations/culling.js'
import type { Clock } from '../time.js'

/** Options of one database of a cache. */
export interface ShardOptions {
  readonly codec: Codec
  readonly clock: Clock
  readonly modes: FileModes
  readonly readonly: boolean
  readonly onCorrupt: 'throw' | 'quarantine'
  /** The longest wait for a lock. Milliseconds. */
  readonly timeout: number
  readonly maxPending: PendingLimits
  readonly shards: number
  /** The counters of the whole cache. */
  readonly counters: Counters
  /** The directory of the whole cache, if it is not that of the shard. Reported paths are relative to it. */
  readonly root: string | undefined
  /** Creates the directories of all shards. Called before one is opened. */
  readonly prepareDirectory: () => void
  /** Settings of a new directory, where they differ from DiskCache's defaults. */
  readonly initial: Partial<StoredSettings>
  /** The share of this shard in the settings given by the user. */
  readonly given: Partial<StoredSettings>
}

/** The callbacks of a shard to its engine. */
export interface ShardEvents {
  evicted(victims: readonly Victim[]): void
  quarantined(directory: string, path: string, error: Error): void
  failed(error: Error): void
  /** Called when given settings were stored with the first write to one shard, so that the others follow. */
  settingsStored(): void
}
