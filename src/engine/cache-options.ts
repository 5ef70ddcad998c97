import { EVICTION_POLICIES, isEvictionPolicy } from './database/eviction-policies.js'
import { JOURNAL_MODES, LEAST_SIZE_LIMIT, type StoredSettings } from './database/settings.js'
import type { PendingLimits } from './database/writer.js'
import type { Codec } from './disk/codec.js'
import { structuredCodec } from './disk/structured-codec.js'
import type { FileModes } from './disk/value-folders.js'
import {
  DEFAULT_MEMORY_BYTES,
  LEAST_MEMORY_BYTES,
  MEMORY_MODES,
  MEMORY_OPTIONS,
  type ResolvedMemory,
} from './memory/memory-options.js'
import { checkOptionNames, checkOptionsObject, kindOf } from './option-names.js'
import type {
  CacheOptions,
  DiskOptions,
  FanoutCacheOptions,
  MemoryOptions,
  SettingsChange,
  SqliteOptions,
} from './options.js'
import { MOST_SHARDS } from './shards/layout.js'
import { type Clock, milliseconds, SteadyClock, systemClock } from './time.js'

/** The two kinds of cache, by the names of their classes. */
export type Kind = 'Cache' | 'FanoutCache'

/** Settings as given, for the whole cache: they are divided when the number of shards is known. */
export type SettingsGiven = Partial<StoredSettings>

/** The checked options of a cache. Durations are milliseconds. */
export interface ResolvedOptions {
  readonly timeout: number
  readonly defaultTtl: number | undefined
  readonly codec: Codec
  readonly readonly: boolean
  readonly onCorrupt: 'throw' | 'quarantine'
  readonly clock: Clock
  readonly maxPending: PendingLimits
  readonly modes: FileModes
  /** The settings that were given. */
  readonly settings: SettingsGiven
  /** Absent: the memory tier is off. */
  readonly memory: ResolvedMemory | undefined
  readonly shards: number | undefined
  /** The given options in flat form, to compare two opens of one directory. */
  readonly given: ReadonlyMap<string, unknown>
}

const SETTING_OPTIONS = [
  'sizeLimit',
  'maxItems',
  'cullLimit',
  'statistics',
  'tagIndex',
  'evictionPolicy',
  'disk',
  'sqlite',
]
const CACHE_OPTIONS = new Set([
  ...['timeout', 'defaultTtl', 'codec', 'readonly', 'onCorrupt', 'clock', 'maxPending', 'memory'],
  ...SETTING_OPTIONS,
])
const FANOUT_OPTIONS = new Set([...CACHE_OPTIONS, 'shards'])

/** The names of the options of a constructor. */
export function optionNamesOf(kind: Kind): ReadonlySet<string> {
  return kind === 'Cache' ? CACHE_OPTIONS : FANOUT_OPTIONS
}

const DISK_OPTIONS = new Set(['minFileSize', 'directoryMode', 'fileMode', 'unlinkGrace'])
const DISK_SETTINGS = new Set(['minFileSize', 'unlinkGrace'])
const SQLITE_OPTIONS = new Set(['cacheSize', 'mmapSize', 'journalMode', 'synchronous', 'autoVacuum'])
const PENDING_OPTIONS = new Set(['count', 'bytes'])

const DEFAULT_PENDING: PendingLimits = { count: 250_000, bytes: 256 * 2 ** 20 }

/**
 * Checks the options of a constructor.
 *
 * @throws TypeError for unknown options and wrong types, RangeError for values out of range
 */
export function resolveOptions(kind: Kind, options: CacheOptions & FanoutCacheOptions = {}): ResolvedOptions {
  checkOptionsObject(options, kind)
  checkOptionNames(options, optionNamesOf(kind), kind)
  const { disk = {}, sqlite = {}, maxPending = {} } = options
  const settings = resolveSettings(options, kind, DISK_OPTIONS)
  const timeout = options.timeout === undefined ? defaultTimeout(kind) : milliseconds(options.timeout, 'timeout')
  const defaultTtl = options.defaultTtl == null ? undefined : milliseconds(options.defaultTtl, 'defaultTtl')
  if (options.shards !== undefined) wholeNumber(options.shards, 'shards', 1, MOST_SHARDS)
  return {
    timeout,
    defaultTtl,
    codec: codecOf(options.codec),
    readonly: flag(options.readonly, 'readonly') ?? false,
    onCorrupt:
      oneOf(options.onCorrupt, ['throw', 'quarantine'], 'onCorrupt') ?? (kind === 'Cache' ? 'throw' : 'quarantine'),
    clock: new SteadyClock(clockOf(options.clock)),
    maxPending: resolvePending(maxPending, kind),
    modes: resolveModes(disk),
    settings,
    memory: resolveMemory(options.memory, kind),
    shards: options.shards,
    given: given(
      { ...options, disk, sqlite, maxPending },
      {
        timeout,
        defaultTtl: defaultTtl ?? null,
        'disk.unlinkGrace': settings.unlinkGrace,
      },
    ),
  }
}

function resolvePending(maxPending: Partial<PendingLimits>, kind: string): ResolvedOptions['maxPending'] {
  checkOptionsObject(maxPending, `${kind}: maxPending`)
  checkOptionNames(maxPending, PENDING_OPTIONS, `${kind}: maxPending`)
  return {
    count: wholeNumber(maxPending.count ?? DEFAULT_PENDING.count, 'maxPending.count', 1),
    bytes: wholeNumber(maxPending.bytes ?? DEFAULT_PENDING.bytes, 'maxPending.bytes', 1),
  }
}

function resolveModes(disk: DiskOptions): ResolvedOptions['modes'] {
  return {
    directory: wholeNumber(disk.directoryMode ?? 0o700, 'disk.directoryMode', 0, 0o7777),
    file: wholeNumber(disk.fileMode ?? 0o600, 'disk.fileMode', 0, 0o7777),
    exact: disk.directoryMode !== undefined || disk.fileMode !== undefined,
  }
}

function resolveMemory(memory: MemoryOptions | undefined, kind: string): ResolvedMemory | undefined {
  if (memory === undefined) return undefined
  checkOptionsObject(memory, `${kind}: memory`)
  checkOptionNames(memory, new Set(MEMORY_OPTIONS), `${kind}: memory`)
  const ttl = memory.ttl === undefined ? Number.POSITIVE_INFINITY : milliseconds(memory.ttl, 'memory.ttl') / 1000
  if (ttl === 0) throw new RangeError('memory.ttl must be more than 0 milliseconds: nothing would be kept')
  return {
    maxItems: optional(memory.maxItems, value => wholeNumber(value, 'memory.maxItems', 1)) ?? Number.POSITIVE_INFINITY,
    maxBytes: wholeNumber(memory.maxBytes ?? DEFAULT_MEMORY_BYTES, 'memory.maxBytes', LEAST_MEMORY_BYTES),
    ttl,
    sliding: slidingOf(memory.sliding, ttl),
    mode: oneOf(memory.mode, MEMORY_MODES, 'memory.mode') ?? 'copy',
    given: MEMORY_OPTIONS.filter(name => memory[name] !== undefined),
  }
}

function slidingOf(sliding: unknown, ttl: number): boolean {
  const slides = flag(sliding, 'memory.sliding') ?? false
  if (slides && ttl === Number.POSITIVE_INFINITY) throw new TypeError('memory.sliding needs a memory.ttl that ends')
  return slides
}

/** Checks the options that are stored in the directory. */
function resolveSettings(
  options: SettingsChange & { disk?: DiskOptions; sqlite?: SqliteOptions },
  place: string,
  diskNames: ReadonlySet<string> = DISK_SETTINGS,
): SettingsGiven {
  const { disk = {}, sqlite = {} } = options
  checkOptionsObject(disk, `${place}: disk`)
  checkOptionNames(disk, diskNames, `${place}: disk`)
  checkOptionsObject(sqlite, `${place}: sqlite`)
  checkOptionNames(sqlite, SQLITE_OPTIONS, `${place}: sqlite`)
  const { maxItems } = options
  const settings: { readonly [Name in keyof SettingsGiven]: unknown } = {
    sizeLimit: optional(options.sizeLimit, value => wholeNumber(value, 'sizeLimit', LEAST_SIZE_LIMIT)),
    maxItems: maxItems === null ? null : optional(maxItems, value => wholeNumber(value, 'maxItems', 1)),
    cullLimit: optional(options.cullLimit, value => wholeNumber(value, 'cullLimit', 0)),
    statistics: flag(options.statistics, 'statistics'),
    tagIndex: flag(options.tagIndex, 'tagIndex'),
    evictionPolicy: policyOf(options.evictionPolicy),
    minFileSize: optional(disk.minFileSize, value => wholeNumber(value, 'disk.minFileSize', 0)),
    unlinkGrace: optional(disk.unlinkGrace, value => milliseconds(value, 'disk.unlinkGrace') / 1000),
    cacheSize: optional(sqlite.cacheSize, value => wholeNumber(value, 'sqlite.cacheSize', -(2 ** 31), 2 ** 31 - 1)),
    mmapSize: optional(sqlite.mmapSize, value => wholeNumber(value, 'sqlite.mmapSize', 0)),
    journalMode: oneOf(sqlite.journalMode, JOURNAL_MODES, 'sqlite.journalMode'),
    synchronous: optional(sqlite.synchronous, value => wholeNumber(value, 'sqlite.synchronous', 0, 3)),
    autoVacuum: optional(sqlite.autoVacuum, value => wholeNumber(value, 'sqlite.autoVacuum', 0, 2)),
  }
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}

/** Checks the argument of `configure`. */
export function resolveChange(change: SettingsChange): SettingsGiven {
  checkOptionsObject(change, 'configure')
  checkOptionNames(change, new Set(SETTING_OPTIONS), 'configure')
  return resolveSettings(change, 'configure')
}

function defaultTimeout(kind: Kind): number {
  return kind === 'Cache' ? 60_000 : 10
}

function optional<T>(value: unknown, resolve: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : resolve(value)
}

function wholeNumber(value: unknown, name: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a whole number, got ${kindOf(value)}`)
  // Plus 0, because Node ends the process when the mode of a directory or file is -0.
  if (Number.isInteger(value) && value >= least && value <= most) return value + 0
  const range =
    most === Number.MAX_SAFE_INTEGER && !(value > most) ? `of at least ${least}` : `from ${least} to ${most}`
  throw new RangeError(`${name} must be a whole number ${range}, got ${value}`)
}

function flag(value: unknown, name: string): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  throw new TypeError(`${name} must be true or false, got ${kindOf(value)}`)
}

function oneOf<T extends string>(value: unknown, known: readonly T[], name: string): T | undefined {
  if (value === undefined) return undefined
  const found = known.find(candidate => candidate === value)
  if (found === undefined) throw wrongChoice(value, known, name)
  return found
}

function policyOf(value: unknown): SettingsChange['evictionPolicy'] {
  if (value === undefined || isEvictionPolicy(value)) return value
  throw wrongChoice(value, Object.keys(EVICTION_POLICIES), 'evictionPolicy')
}

function wrongChoice(value: unknown, known: readonly string[], name: string): Error {
  const message = `${name} must be one of ${known.map(one => `'${one}'`).join(', ')}, got ${kindOf(value)}`
  return typeof value === 'string' ? new RangeError(message) : new TypeError(message)
}

/** The codec that an option names, `structuredCodec` by default. @throws TypeError when it is none */
export function codecOf(codec: Codec | undefined): Codec {
  if (codec === undefined) return structuredCodec
  const verbs = ['encodeValue', 'decodeValue', 'encodeKey', 'decodeKey'] as const
  if (typeof codec === 'object' && codec !== null && verbs.every(verb => typeof codec[verb] === 'function'))
    return codec
  throw new TypeError(
    `codec must be structuredCodec, jsonCodec, pickleCodec, compressed() or an object like them, got ${kindOf(codec)}`,
  )
}

function clockOf(clock: Clock | undefined): Clock {
  if (clock === undefined) return systemClock
  if (typeof clock !== 'object' || clock === null || typeof clock.now !== 'function') {
    throw new TypeError(`clock must be an object with now(), got ${kindOf(clock)}`)
  }
  const now: unknown = clock.now()
  // With a clock that returns no number nothing would ever expire.
  if (typeof now === 'number' && Number.isFinite(now)) return clock
  throw new TypeError(`clock.now() must return epoch milliseconds, got ${kindOf(now)}`)
}

/** The given options in flat form. Durations are normalised, so that equal ones compare equal. */
function given(options: object, durations: Readonly<Record<string, unknown>>): Map<string, unknown> {
  const flat = flatten(options)
  for (const [name, value] of Object.entries(durations)) if (flat.has(name)) flat.set(name, value)
  return flat
}

function flatten(options: object, prefix = '', into = new Map<string, unknown>()): Map<string, unknown> {
  for (const [name, value] of Object.entries(options)) {
    // The memory tier compares its own options, because it may be switched on later.
    if (value === undefined || name === 'memory') continue
    const isGroup = prefix === '' && (name === 'disk' || name === 'sqlite' || name === 'maxPending')
    if (isGroup) flatten(value as object, `${name}.`, into)
    else into.set(prefix + name, value)
  }
  return into
}
