import {
  checkOptionNames,
  checkOptionsObject,
  editDistance,
  kindOf,
  kindOfDirectory,
  optionNamesOf,
  startUpkeepOf,
} from '../engine/for-adapters.js'
import {
  Cache,
  type CacheOptions,
  type DiskCache,
  FanoutCache,
  type FanoutCacheOptions,
  type UpkeepOptions,
} from '../engine/index.js'

/**
 * Options of a door: those of a `FanoutCache` and where its entries are. Options of the host may be present as well.
 */
export interface DoorOptions extends FanoutCacheOptions {
  /** The directory of the cache. It is created when missing. */
  readonly directory?: string | URL | undefined
  /** A cache to use instead of a directory. The door never closes it. */
  readonly cache?: DiskCache | undefined
  /**
   * Does the upkeep of the directory in a thread of one process, as `startUpkeep` does, until this door is closed.
   *
   * @default false
   */
  readonly upkeep?: boolean | UpkeepOptions | undefined
}

/** A directory, as a path or a file URL, options with one, or a cache. */
export type CacheSource = string | URL | DoorOptions | DiskCache

/** A cache opened by a door. */
export interface OpenedCache {
  readonly cache: DiskCache
  /** Ends the use by this door. The last user on a directory closes the cache; one that was passed in stays open. */
  close(): Promise<void>
}

/** Options of doors besides those of a cache. */
const DOOR_OPTIONS = ['directory', 'cache', 'upkeep']

/** Known options of hosts. Unknown ones are accepted too, unless they look like a misspelling of one of ours. */
const HOST_OPTIONS = [
  ...[
    'ttl',
    'namespace',
    'store',
    'stores',
    'max',
    'maxSize',
    'name',
    'prefix',
    'isGlobal',
    'isCacheable',
    'refreshThreshold',
  ],
  ...['nonBlocking', 'cacheId', 'refreshAllStores', 'onBackgroundRefreshError', 'shouldCloneBeforeSet', 'emitErrors'],
  ...['throwOnErrors', 'stats', 'useKeyPrefix', 'checkExpired', 'sanitize', 'inject', 'imports', 'extraProviders'],
]

/**
 * Opens the cache of a door. All doors of a process on one directory share one engine. An empty directory becomes a
 * `FanoutCache`; any other is opened as the kind it is.
 *
 * @param door the name of the door in messages
 * @throws TypeError when no directory is given, or an option looks misspelt; RangeError for values out of range
 */
export function openCache(source: CacheSource, door: string): OpenedCache {
  if (isDiskCache(source)) return given(source)
  const options: DoorOptions =
    typeof source === 'string' || isFileUrl(source) ? { directory: source } : checked(source, door)
  if (options.cache !== undefined) return keptUp(given(checkedCache(options, door)), options)
  const { directory } = options
  if (directory === undefined) {
    throw new TypeError(`${door}: say where, with a directory: ${door}({ directory: '/var/cache/app' })`)
  }
  const kind = kindOfDirectory(directory) ?? 'FanoutCache'
  const own = ownOptions(options, kind, door)
  const cache = kind === 'Cache' ? new Cache(directory, own) : new FanoutCache(directory, own)
  return keptUp({ cache, close: () => cache.close() }, options)
}

function keptUp(opened: OpenedCache, { upkeep }: DoorOptions): OpenedCache {
  const started = startUpkeepOf(opened.cache, upkeep)
  if (!started) return opened
  const close = async (): Promise<void> => {
    await started.stop()
    await opened.close()
  }
  return { cache: opened.cache, close }
}

/** The options of a door without options of a host. @throws TypeError for unknown options and a wrong source */
export function strictOptionsOf<Options extends DoorOptions>(
  source: CacheSource | Options,
  options: Options,
  door: string,
  own: readonly (keyof Options & string)[],
): Options {
  const all = optionsOf(source, options, door)
  checkOptionNames(all, new Set([...own, ...DOOR_OPTIONS, ...optionNamesOf('FanoutCache')]), door)
  return all
}

/** Merges the source of a door with its options. @throws TypeError for a wrong source, or options that are no object */
export function optionsOf<Options extends DoorOptions>(
  source: CacheSource | Options,
  options: Options,
  door: string,
): Options {
  checkOptionsObject(options, door)
  if (isDiskCache(source)) return { ...options, cache: source }
  if (typeof source === 'string' || isFileUrl(source)) return { ...options, directory: source }
  return { ...checked(source, door), ...options }
}

/** Whether a value has the verbs of a cache, of either build of this package. */
export function isDiskCache(source: unknown): source is DiskCache {
  const { getItem, setMany, deleteMany } = (source ?? {}) as Partial<DiskCache>
  return [getItem, setMany, deleteMany].every(verb => typeof verb === 'function')
}

function given(cache: DiskCache): OpenedCache {
  return { cache, close: () => Promise.resolve() }
}

function isFileUrl(source: unknown): source is URL {
  return source instanceof URL
}

function checked(source: unknown, door: string): DoorOptions {
  if (typeof source === 'object' && source !== null && !Array.isArray(source)) return source
  throw new TypeError(`${door} needs a directory, options with one, or a cache; got ${kindOf(source)}`)
}

function checkedCache({ cache, directory, ...others }: DoorOptions, door: string): DiskCache {
  if (!isDiskCache(cache)) throw new TypeError(`${door}: cache must be a Cache or FanoutCache, got ${kindOf(cache)}`)
  if (directory !== undefined) throw new TypeError(`${door}: give a directory or a cache, not both`)
  const own = Object.entries(ownOptions(others, 'FanoutCache', door))
  const idle = own.find(([, value]) => value !== undefined)
  if (idle === undefined) return cache
  throw new TypeError(`${door}: ${idle[0]} has no effect on a cache that is given: say it where that is made`)
}

/** Selects the options of the engine. */
function ownOptions(options: DoorOptions, kind: 'Cache' | 'FanoutCache', door: string): CacheOptions {
  const known = optionNamesOf(kind)
  const own: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    if (known.has(name)) own[name] = value
    else if (name !== 'directory' && name !== 'upkeep' && !HOST_OPTIONS.includes(name)) refuseSlip(name, known, door)
  }
  return own
}

/** Refuses an unknown option that is almost one of ours. Other unknown options belong to the host. */
function refuseSlip(name: string, known: ReadonlySet<string>, door: string): void {
  const lower = name.toLowerCase()
  const meant = ['directory', 'namespace', 'upkeep', ...known].find(
    candidate => editDistance(lower, candidate.toLowerCase()) <= Math.floor(candidate.length / 4),
  )
  if (meant !== undefined) throw new TypeError(`${door}: unknown option ${name}; did you mean ${meant}?`)
}
