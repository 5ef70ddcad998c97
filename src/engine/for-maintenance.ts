import { databaseBytes, logBytes } from './database/opening.js'
import type { DatabaseFacts } from './maintenance/examine.js'
import { strangersBesideShards } from './maintenance/strangers.js'
import type { TaskProgress } from './maintenance/task-control.js'
import type { Vacuumed } from './maintenance/vacuum.js'
import { type Place, runTask, type TaskOptions } from './maintenance/worker-client.js'
import type { Finding } from './options.js'
import type { CachePlace } from './shards/places.js'
import { systemClock } from './time.js'
import { clearInterval, setInterval } from './timers.js'
import { translateError } from './translate-error.js'

export { driverVersions } from './database/connection.js'
export type { StoredSettings } from './database/settings.js'
export { isWritable } from './database/writability.js'
export type { DatabaseFacts, DatabaseTrouble, RowFacts } from './maintenance/examine.js'
export type { NodeFacts, Pile, TreeFacts } from './maintenance/examine-tree.js'
export { type AbandonedStage, abandonedStages } from './maintenance/import-stages.js'
export type { TaskProgress } from './maintenance/task-control.js'
export { setAside } from './set-aside.js'
export { type CachePlace, findPlaces } from './shards/places.js'
export { strangersBesideShards }

/*
 * Maintenance of the databases of a directory without opening the cache in it. A damaged database is no obstacle, and
 * nothing happens that a cache does by itself.
 */

export interface MaintenanceOptions extends TaskOptions {
  /** The longest wait for each lock. Milliseconds. */
  readonly timeout: number
}

/** Which database was vacuumed, and how many bytes that freed. */
export interface VacuumReport extends Vacuumed, Pick<Place, 'prefix'> {}

const LOOK_AT_LOG_MILLISECONDS = 200

/** Looks for damage in all databases of a directory and, with `fix`, repairs it. */
export async function checkPlaces(
  root: string,
  places: readonly CachePlace[],
  options: MaintenanceOptions & { readonly fix: boolean },
): Promise<readonly Finding[]> {
  const { fix, timeout } = options
  const findings = await care(root, options, () => runTask({ task: 'check', shards: places, fix, timeout }, options))
  return places.some(({ role }) => role === 'shard') ? [...strangersBesideShards(root), ...findings] : findings
}

/** Vacuums all databases of a directory, one after the other. */
export async function vacuumPlaces(
  root: string,
  places: readonly CachePlace[],
  options: MaintenanceOptions,
): Promise<readonly VacuumReport[]> {
  const { timeout, signal } = options
  const progress = options.onProgress && new VacuumProgress(places, options.onProgress)
  try {
    const onProgress = progress && ((known: TaskProgress) => progress.ended(known))
    return await care(root, options, () => runTask({ task: 'vacuum', shards: places, timeout }, { signal, onProgress }))
  } finally {
    progress?.stop()
  }
}

/** Collects all facts about the databases of a directory without changing it. */
export function examinePlaces(
  root: string,
  places: readonly CachePlace[],
  options: MaintenanceOptions,
): Promise<readonly DatabaseFacts[]> {
  const { timeout } = options
  return care(root, options, () => runTask({ task: 'examine', places, now: systemClock.now(), timeout }, options))
}

async function care<T>(root: string, { signal }: MaintenanceOptions, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw signal?.aborted ? error : translateError(error, root)
  }
}

/** The progress of a VACUUM. SQLite reports none, so it is estimated from the size of the log of the database. */
class VacuumProgress {
  readonly #places: readonly { readonly directory: string; readonly bytes: number }[]
  readonly #total: number
  readonly #tell: (progress: TaskProgress) => void
  readonly #timer: NodeJS.Timeout
  #done = 0

  constructor(places: readonly CachePlace[], tell: (progress: TaskProgress) => void) {
    this.#places = places.map(({ directory }) => ({ directory, bytes: databaseBytes(directory) }))
    this.#total = this.#places.reduce((sum, { bytes }) => sum + bytes, 0)
    this.#tell = tell
    this.#timer = setInterval(() => this.#look(), LOOK_AT_LOG_MILLISECONDS)
  }

  /** Takes a message of the thread: the bytes of the databases that are done. */
  ended({ done }: TaskProgress): void {
    this.#done = done
    this.#look()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    this.#tell({ done: Math.min(this.#total, this.#done + this.#written()), total: this.#total })
  }

  /** Bytes in the log of the database that is being vacuumed. */
  #written(): number {
    let before = 0
    for (const { directory, bytes } of this.#places) {
      if (before >= this.#done) return Math.min(bytes, logBytes(directory))
      before += bytes
    }
    return 0
  }
}
