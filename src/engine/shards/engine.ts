import { rmSync } from 'node:fs'
import type { Kind, ResolvedOptions } from '../cache-options.js'
import { DEFAULT_SETTINGS } from '../database/settings.js'
import { isSame } from '../disk/built-in.js'
import type { Events } from '../events.js'
import { makeDirectory } from '../make-directory.js'
import type { MemoryTier } from '../memory/memory-tier.js'
import { SharedMemory } from '../memory/shared-memory.js'
import { channels } from '../observe/channels.js'
import { type Counters, countersOf } from '../observe/counters.js'
import { oncePerProcess } from '../once-per-process.js'
import type { Victim } from '../operations/culling.js'
import { translateError, translateMaking } from '../translate-error.js'
import { compressionOf, otherCompression } from './compress-level.js'
import { canonicalDirectory, countShards, DEFAULT_SHARDS, hasDatabase, shardDirectory } from './layout.js'
import { modesThere } from './modes-there.js'
import { afterPythonMade } from './python-layout.js'
import { Shard } from './shard.js'
import type { ShardEvents } from './shard-options.js'
import { shareOf, wholeItems, wholeSize } from './shares.js'

/**
 * The databases of one directory, shared by all caches of the process on it. It is reference-counted, and closed by its
 * last user.
 */
export class Engine implements ShardEvents {
  readonly directory: string
  readonly kind: Kind
  readonly shards: readonly Shard[]
  readonly counters: Counters
  readonly #options: ResolvedOptions
  readonly #listeners = new Set<Events>()
  readonly #memory: SharedMemory
  /** Number of verbs that gave up waiting for a lock. */
  timeouts = 0
  #users = 0
  #isOpen = false
  #opening: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor(kind: Kind, directory: string, options: ResolvedOptions) {
    this.kind = kind
    this.directory = directory
    this.counters = countersOf(canonicalDirectory(directory))
    const count = kind === 'Cache' ? 1 : adoptShards(directory, options.shards)
    const root = kind === 'Cache' ? undefined : directory
    const share = kind === 'Cache' ? {} : { sizeLimit: DEFAULT_SETTINGS.sizeLimit / count, realSizeLimit: true }
    const initial = { ...share, ...compressionOf(options.codec) }
    const prepareDirectory = (): void => this.#makeShardDirectories()
    const { counters } = this
    const first = kind === 'Cache' ? directory : shardDirectory(directory, 0)
    this.#options = { ...options, modes: options.modes.exact ? options.modes : modesThere(first) }
    const shardOptions = { ...this.#options, shards: count, counters, initial, root, prepareDirectory }
    // Python stores the size limit of a shard as REAL.
    const whole = kind === 'Cache' ? options.settings : { ...options.settings, realSizeLimit: true }
    this.shards = Array.from({ length: count }, (_, at) => {
      const place = kind === 'Cache' ? directory : shardDirectory(directory, at)
      return new Shard(place, at, { ...shardOptions, given: shareOf(whole, count, at) }, this)
    })
    this.#memory = new SharedMemory(this.shards, this.counters.pastMemory)
  }

  /** @throws RangeError that names the options in which two opens of one directory differ */
  checkOptions(kind: Kind, options: ResolvedOptions): void {
    if (kind !== this.kind) throw wrongKind(kind, this.directory)
    const differing = this.#memory.differences(options.memory)
    for (const [name, value] of options.given) {
      if (!isSame(value, this.#options.given.get(name)) && !isSame(value, this.#effective(name))) differing.push(name)
    }
    if (differing.length === 0) return
    throw new RangeError(
      `${this.directory} is open in this process with other options: ${differing.join(', ')}; ` +
        'all opens of one directory share one engine',
    )
  }

  /** The pickle protocol of the keys of the directory. */
  get pickleProtocol(): number {
    return (this.shards[0] as Shard).settings.pickleProtocol
  }

  /** The options of a user, with the codec of the engine if it gave none. */
  adopted(options: ResolvedOptions): ResolvedOptions {
    const { codec } = this.#options
    return options.given.has('codec') && !isSame(options.codec, codec) ? options : { ...options, codec }
  }

  /** Whether another user can join without waiting. */
  get isOpen(): boolean {
    return this.#isOpen && this.#closing === undefined
  }

  /** Adds a user to an open engine. */
  join(user: Events, options: ResolvedOptions): void {
    this.#users++
    this.#memory.join(user, options.memory)
    this.#listeners.add(user)
  }

  /** The memory tier, for a user that has asked for it. */
  memoryOf(user: Events): MemoryTier | undefined {
    return this.#memory.of(user)
  }

  /** The memory tier, whoever has asked for it. */
  get memory(): MemoryTier | undefined {
    return this.#memory.tier
  }

  async open(user: Events, options: ResolvedOptions): Promise<void> {
    this.join(user, options)
    try {
      await this.#closing
      this.#opening ??= this.#open()
      await this.#opening
      this.#isOpen = true
    } catch (error) {
      this.#opening = undefined
      await this.close(user)
      throw error
    }
  }

  /** Removes a user and closes after the last one. Resolves to whether it was the last. */
  async close(user: Events): Promise<boolean> {
    this.#users--
    this.#memory.leave(user)
    if (this.#users > 0) {
      this.#listeners.delete(user)
      await Promise.all(this.shards.map(shard => shard.writer.settled()))
      return false
    }
    this.#opening = undefined
    this.#isOpen = false
    this.#closing = Promise.all(this.shards.map(shard => shard.close())).then(() => undefined)
    await this.#closing
    this.#closing = undefined
    this.#listeners.delete(user)
    return this.#users === 0
  }

  /** Whether it has no users and is closed. */
  get idle(): boolean {
    return this.#users === 0 && this.#closing === undefined
  }

  evicted(victims: readonly Victim[]): void {
    for (const { reason } of victims) this.counters.evictions[reason]++
    const heard = [...this.#listeners].filter(events => events.heard('evict'))
    if (heard.length === 0 && !channels.evict.hasSubscribers) return
    const { directory } = this.counters
    for (const { key, raw, size, reason } of victims) {
      const payload = { key: this.#options.codec.decodeKey(key, raw, this.pickleProtocol), size, reason }
      if (channels.evict.hasSubscribers) channels.evict.publish({ directory, ...payload })
      for (const events of heard) events.emit('evict', payload)
    }
  }

  quarantined(directory: string, path: string, error: Error): void {
    this.counters.quarantines++
    channels.quarantine.publish({ directory: this.counters.directory, path, error })
    for (const events of this.#listeners) events.emit('quarantine', { directory, path, error })
  }

  settingsStored(): void {
    for (const shard of this.shards) shard.saveSettings()
  }

  failed(error: Error): void {
    this.counters.errors++
    for (const events of this.#listeners) events.emit('error', error)
  }

  async #open(): Promise<void> {
    const { directory, kind } = this
    if (kind === 'Cache' ? countShards(directory) !== undefined && !hasDatabase(directory) : hasDatabase(directory)) {
      throw wrongKind(kind, directory)
    }
    const opened = await Promise.allSettled(this.shards.map(shard => shard.open()))
    const failure = opened.find(outcome => outcome.status === 'rejected')
    const reason = failure?.reason ?? otherCompression(this.#options.codec, this.shards[0]?.settings, directory)
    if (reason === undefined) return
    await Promise.all(this.shards.map(shard => shard.close()))
    throw reason
  }

  /** Creates the directories from the last one down, see countShards, even if only one shard has lost its own. */
  #makeShardDirectories(): void {
    if (this.kind === 'Cache' || this.#options.readonly) return
    try {
      for (const shard of [...this.shards].reverse()) {
        makeDirectory(shard.directory, this.#options.modes)
      }
    } catch (error) {
      throw translateMaking(error, this.directory)
    }
  }

  /** The effective value of an option, in the form in which options are compared. */
  #effective(name: string): unknown {
    const { modes, maxPending, settings: given } = this.#options
    const stored = this.shards.map(({ settings }) => settings)
    const others: Readonly<Record<string, unknown>> = {
      shards: this.shards.length,
      sizeLimit: wholeSize(stored),
      maxItems: wholeItems(stored),
      defaultTtl: this.#options.defaultTtl ?? null,
      'disk.directoryMode': modes.directory,
      'disk.fileMode': modes.file,
      'maxPending.count': maxPending.count,
      'maxPending.bytes': maxPending.bytes,
      'sqlite.mmapSize': given.mmapSize ?? 0,
    }
    if (name in others) return others[name]
    const local = name.replace(/^(disk|sqlite)\./, '')
    return { ...this.#options, ...stored[0] }[local as keyof ResolvedOptions]
  }
}

function adoptShards(directory: string, wanted: number | undefined): number {
  const found = countShards(directory)
  if (found !== undefined && wanted !== undefined && found !== wanted) {
    throw new RangeError(
      `${directory} has ${found} shards, and shards: ${wanted} would lose keys; leave the option out`,
    )
  }
  return found ?? wanted ?? DEFAULT_SHARDS
}

function wrongKind(kind: Kind, directory: string): RangeError {
  const other = kind === 'Cache' ? 'FanoutCache' : 'Cache'
  return new RangeError(`${directory} holds a ${other}: open it with new ${other}(…)`)
}

function engines(): Map<string, Engine> {
  return oncePerProcess('engines', () => new Map())
}

/** Finds the engine of a directory in this process. */
export function findEngine(directory: string): Engine | undefined {
  return engines().get(canonicalDirectory(directory))
}

/** Joins the engine of a directory if it is already open, so that nothing needs to be awaited. */
export function joinEngine(kind: Kind, directory: string, options: ResolvedOptions, user: Events): Engine | undefined {
  const engine = findEngine(directory)
  if (!engine?.isOpen) return undefined
  engine.checkOptions(kind, options)
  engine.join(user, options)
  return engine
}

/** Opens the engine of a directory, or joins it, for another user. */
export async function acquireEngine(
  kind: Kind,
  directory: string,
  options: ResolvedOptions,
  user: Events,
): Promise<Engine> {
  const key = canonicalDirectory(directory)
  if (kind === 'FanoutCache' && !engines().has(key)) await afterPythonMade(directory, options.shards)
  let engine = engines().get(key)
  if (engine) engine.checkOptions(kind, options)
  else {
    engine = makeEngine(kind, directory, options)
    engines().set(key, engine)
  }
  try {
    await engine.open(user, options)
    return engine
  } catch (error) {
    // Several opens may fail together, and another engine may be registered by now.
    if (engine.idle && engines().get(key) === engine) engines().delete(key)
    throw error
  }
}

function makeEngine(kind: Kind, directory: string, options: ResolvedOptions): Engine {
  try {
    return new Engine(kind, directory, options)
  } catch (error) {
    throw translateError(error, directory)
  }
}

/** Releases an engine. The last user closes it. */
export async function releaseEngine(engine: Engine, user: Events): Promise<void> {
  const last = await engine.close(user)
  if (!last) return
  for (const [key, candidate] of engines()) if (candidate === engine) engines().delete(key)
}

/** Removes a temporary directory that nobody uses any more, also when only caches below it were ever opened. */
export function removeTemporary(directory: string): void {
  if (!findEngine(directory)) rmSync(directory, { recursive: true, force: true })
}
