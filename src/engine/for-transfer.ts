import { existsSync } from 'node:fs'
import { Cache } from './cache.js'
import type { CacheHandle } from './cache-handle.js'
import type { Kind } from './cache-options.js'
import { sqliteCode } from './database/sqlite-errors.js'
import type { Codec } from './disk/codec.js'
import { CODECS } from './disk/codecs.js'
import { jsonCodec } from './disk/json-codec.js'
import { FanoutCache } from './fanout-cache.js'
import { isDiskFull } from './file-errors.js'
import { handleOf } from './handle-of.js'
import type { CacheOptions, EvictionPolicy, Settings } from './options.js'
import { DEFAULT_SHARDS, shardDirectory } from './shards/layout.js'
import { jsonDiskCodecIn } from './stored-codec.js'
import { systemClock } from './time.js'
import { type Applied, type ApplyOptions, applyStage, countThere, keepLimits } from './transfer/apply.js'
import { type ExportOptions, exportParts } from './transfer/export.js'
import type { Header } from './transfer/format.js'
import { Home, modesOf, shardsIn } from './transfer/home.js'
import { Intake, type Taken } from './transfer/intake.js'
import { linesOf } from './transfer/line-reader.js'
import { Stage } from './transfer/stage.js'
import { CodecError, StreamError } from './transfer/stream-error.js'
import { translateError } from './translate-error.js'

/*
 * Export and import: all entries of a cache as a stream of JSON lines, and back. docs/export.md describes the stream.
 */

export type { ExportOptions } from './transfer/export.js'
export { modesOf, reclaimImports, subCachesOf } from './transfer/home.js'
export { linesOf } from './transfer/line-reader.js'
export { CodecError, ConflictError, StreamError } from './transfer/stream-error.js'

type AnyCache = Cache | FanoutCache

/** Options of a new directory that override those of the stream. */
export interface MakeOptions {
  readonly kind?: Kind | undefined
  readonly shards?: number | undefined
}

export interface ImportOptions extends Omit<ApplyOptions, 'told'> {
  /** The absolute path. */
  readonly directory: string
  /** Opens the existing cache. `undefined`: there is none, and a new one is created. */
  readonly open: (() => Promise<AnyCache>) | undefined
  readonly make: MakeOptions
  /** Name of the codec for values without a tag. @default that of the header */
  readonly codec: string | undefined
  readonly includeExpired: boolean
  /** Reads and checks the stream, and stores nothing. */
  readonly dryRun: boolean
  /** Called with the number of bytes of the stream that were read so far. */
  readonly read: (bytes: number) => void
  /** Called with the number of entries stored so far, and of all entries. */
  readonly stored: (entries: number, of: number) => void
}

/** The result of an import. */
export interface Imported extends Taken, Applied {
  /** Entries that were evicted to keep the limits, older or imported ones. */
  evicted: number
}

/** Exports the entries of a cache as chunks of a stream, each of several lines. */
export async function* exportStream(cache: AnyCache, options: ExportOptions): AsyncGenerator<string> {
  const settings = await cache.settings()
  yield* exportParts(handleOf(cache), settings, options)
}

/**
 * Imports a stream. It first reads and checks the whole stream into a stage beside the cache, then stores it in one
 * transaction, or in several with `batch`. A failure before that leaves the directory as it was.
 *
 * @param report is filled in during the import
 * @throws StreamError, with the line, for a broken or truncated stream; ConflictError with `onConflict: 'fail'`
 */
export async function importStream(
  source: AsyncIterable<Uint8Array>,
  options: ImportOptions,
  report: Imported,
): Promise<void> {
  const home = Home.prepare(options.directory)
  const staging = new Staging(home, options)
  try {
    const { includeExpired } = options
    const now = systemClock.now() / 1000
    const codecFor = (header: Header): Codec => staging.codecFor(header)
    const intake = new Intake({ codecFor, includeExpired, now }, header => staging.begin(header))
    try {
      for await (const line of linesOf(source, (number, what) => new StreamError(number, `it ${what}`))) {
        options.signal.throwIfAborted()
        await intake.take(line)
        options.read(line.bytes)
      }
      intake.finish()
    } catch (error) {
      // The stage is a database as well, and may meet a full disk.
      throw isOfStage(error) ? translateError(error, home.target) : error
    } finally {
      Object.assign(report, intake.taken)
      await intake.close()
    }
    await staging.store(report)
  } catch (error) {
    // A new directory is removed, and with it what was stored.
    if (home.isNew) Object.assign(report, NOTHING_STORED)
    throw error
  } finally {
    await staging.end()
    await home.leave()
  }
}

function isOfStage(error: unknown): boolean {
  return isDiskFull(error) || sqliteCode(error) !== undefined
}

const NOTHING_STORED = { stored: 0, replaced: 0, kept: 0, evicted: 0 } as const

export function nothingImported(): Imported {
  return { entries: 0, files: 0, bytes: 0, expired: 0, ...NOTHING_STORED }
}

/** The stage of one import together with its target. */
class Staging {
  readonly #home: Home
  readonly #options: ImportOptions
  #header: Header | undefined
  #codec: Codec | undefined
  #stage: Stage | undefined

  constructor(home: Home, options: ImportOptions) {
    this.#home = home
    this.#options = options
  }

  /** The codec of what has no tag. JSON is compressed as in the directory, in a new one as in that of the stream. */
  codecFor({ codec: declared, compressLevel = 1 }: Header): Codec {
    const { codec = declared, open } = this.#options
    this.#codec = CODECS[codec] as Codec
    if (this.#codec !== jsonCodec) return this.#codec
    if (open) this.#codec = jsonDiskCodecIn(directoriesIn(this.#home.directory)) ?? jsonCodec
    else if (compressLevel !== 1) this.#codec = jsonCodec.level(compressLevel)
    return this.#codec
  }

  begin(header: Header): Stage {
    this.#header = header
    const { directory } = this.#home
    const shards = this.#options.open ? shardsIn(directory) : this.#shardsToMake(header)
    this.#stage = Stage.make(directory, shards, modesOf(directory))
    return this.#stage
  }

  async store(report: Imported): Promise<void> {
    const { dryRun, open, timeout, stored } = this.#options
    const stage = this.#stage as Stage
    if (dryRun && !open) return
    const cache = open ? await open() : await this.#make(this.#header as Header)
    try {
      const handle = handleOf(cache)
      this.#checkCodec(handle)
      if (dryRun) {
        report.replaced = await countThere(handle, stage)
        return
      }
      await applyStage(handle, stage, { ...this.#options, told: entries => stored(entries, stage.rows) }, report)
      report.evicted = await keepLimits(handle, timeout)
    } finally {
      await cache.close()
    }
    await this.#home.arrive()
  }

  /** @throws CodecError before anything is stored */
  #checkCodec({ options: { codec } }: CacheHandle): void {
    if (codec.name === 'json' && codec !== this.#codec) throw new CodecError(this.#home.target)
  }

  async end(): Promise<void> {
    await this.#stage?.remove(existsSync(this.#home.directory) ? this.#home.directory : this.#home.target)
  }

  #kindToMake(header: Header): Kind {
    const { kind, shards } = this.#options.make
    return kind ?? (shards === undefined ? header.kind : 'FanoutCache')
  }

  #shardsToMake(header: Header): number | undefined {
    if (this.#kindToMake(header) === 'Cache') return undefined
    return this.#options.make.shards ?? header.shards ?? DEFAULT_SHARDS
  }

  async #make(header: Header): Promise<AnyCache> {
    const { timeout } = this.#options
    // The level of a JSONDisk is stored in the directory, when it is another one than that without a word.
    const codec = this.#codec?.name === 'json' && this.#codec !== jsonCodec ? { codec: this.#codec } : {}
    const options = { ...settingsOf(header), ...codec, timeout, onCorrupt: 'throw' } as const
    const shards = this.#shardsToMake(header)
    const { directory } = this.#home
    try {
      const cache =
        shards === undefined ? new Cache(directory, options) : new FanoutCache(directory, { ...options, shards })
      return await cache.open()
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error
      throw new StreamError(1, `its settings: ${error.message}`, { cause: error })
    }
  }
}

function directoriesIn(root: string): string[] {
  const shards = shardsIn(root)
  return shards === undefined ? [root] : Array.from({ length: shards }, (_, number) => shardDirectory(root, number))
}

/** The settings of a header that a new directory adopts. Those of a machine, such as memory mapping, are left out. */
function settingsOf({ settings }: Header): CacheOptions {
  if (!settings) return {}
  const { statistics, tagIndex, evictionPolicy, sizeLimit, maxItems, cullLimit, disk, sqlite } =
    settings as Partial<Settings>
  return {
    statistics,
    tagIndex,
    evictionPolicy: evictionPolicy as EvictionPolicy | undefined,
    sizeLimit,
    maxItems: maxItems ?? undefined,
    cullLimit,
    disk: disk && { minFileSize: disk.minFileSize, unlinkGrace: disk.unlinkGrace },
    sqlite: sqlite && {
      journalMode: sqlite.journalMode,
      autoVacuum: sqlite.autoVacuum,
      synchronous: sqlite.synchronous,
    },
  }
}
