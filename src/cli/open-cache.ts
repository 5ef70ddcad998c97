import { statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CODECS, contentAt, jsonDiskCodec, LONGEST_TIMER, type Place, placeAt } from '../engine/for-cli.js'
import { modesOf } from '../engine/for-transfer.js'
import { Cache, type Codec, FanoutCache, TimeoutError } from '../engine/index.js'
import { CliError, EXIT } from './exit-codes.js'

const GRACE_MILLISECONDS = 500

export interface OpeningOptions {
  readonly access: 'read' | 'write'
  /** Milliseconds. */
  readonly timeout: number
  readonly codec: string | undefined
  readonly signal: AbortSignal
  /** The class of cache to make if there is none. */
  readonly create?: 'Cache' | 'FanoutCache' | undefined
  readonly note: (text: string) => void
}

/**
 * Opens the cache in a directory, Cache or FanoutCache, made by Python or by this package. Opening changes neither
 * stored settings nor damaged files: an operator who only looks must not change anything.
 *
 * @throws CliError if the directory holds no cache
 */
export async function openCache(path: string, options: OpeningOptions): Promise<Cache | FanoutCache> {
  const place = cachePlace(path, { mayBeMissing: options.create !== undefined })
  if (options.access === 'write') warnOfRoot(place, options.note)
  if (options.access === 'write' && place.shardOf !== undefined) {
    throw new CliError(
      EXIT.noCache,
      `${place.directory} is one shard of the FanoutCache in ${place.shardOf}: name that directory`,
    )
  }
  const isThere = isCache(place)
  if (isThere) checkContent(place, { mayBeEmpty: options.create !== undefined })
  const kind = isThere ? place.kind : (options.create ?? 'FanoutCache')
  const opened = (codec?: Codec): Promise<Cache | FanoutCache> => {
    const settings = {
      timeout: options.timeout,
      readonly: options.access === 'read',
      onCorrupt: 'throw',
      codec,
      disk: isThere && options.access === 'write' ? modesThere(place.directory) : undefined,
    } as const
    const Kind = kind === 'Cache' ? Cache : FanoutCache
    return within(new Kind(place.directory, settings), options)
  }
  const named = options.codec === undefined ? undefined : CODECS[options.codec]
  if (!isThere || (named && named.name !== 'json')) return await opened(named)
  // Only the codec of a JSONDisk finds its keys, and keys of another codec would break Python's listing.
  const cache = await opened()
  const codec = (await jsonDiskCodec(cache)) ?? named
  if (!codec) return cache
  await cache.close()
  return await opened(codec)
}

/** The modes of what is there, for what is made beside it: the same users can read both. */
function modesThere(directory: string): { readonly directoryMode?: number; readonly fileMode?: number } {
  const modes = modesOf(directory)
  return modes.exact ? { directoryMode: modes.directory, fileMode: modes.file } : {}
}

/** Gives up after `timeout`: a FanoutCache alone would wait a minute for a database that is locked completely. */
async function within(cache: Cache | FanoutCache, { timeout, signal }: OpeningOptions): Promise<Cache | FanoutCache> {
  const end = new AbortController()
  try {
    return await Promise.race([cache.open(), giveUp(cache.directory, timeout, AbortSignal.any([signal, end.signal]))])
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    end.abort()
  }
}

async function giveUp(directory: string, timeout: number, signal: AbortSignal): Promise<never> {
  // Where it can, the engine itself gives up at `timeout`, with a better message.
  await sleep(Math.min(timeout + GRACE_MILLISECONDS, LONGEST_TIMER), undefined, { signal })
  throw new TimeoutError(directory)
}

/** Whether a place holds a cache. */
export function isCache(place: Place): place is Place & { readonly kind: 'Cache' | 'FanoutCache' } {
  return place.kind === 'Cache' || place.kind === 'FanoutCache'
}

/** Finds the cache at a path. @throws CliError that says what it found instead */
export function cachePlace(path: string, { mayBeMissing = false }: { readonly mayBeMissing?: boolean } = {}): Place {
  const place = lookAt(path)
  const { directory, kind } = place
  switch (kind) {
    case 'missing':
      if (mayBeMissing) return place
      throw new CliError(EXIT.noCache, `there is no directory ${directory}`)
    case 'file':
      throw new CliError(EXIT.noCache, fileSentence(directory))
    case 'empty':
      if (mayBeMissing) return place
      throw new CliError(EXIT.noCache, `the directory ${directory} is empty: there is no cache in it`)
    case 'strange':
      throw new CliError(EXIT.noCache, `${directory} is no cache: it holds neither cache.db nor shards 000, 001, …`)
    default:
      return place
  }
}

/**
 * Refuses databases that hold no cache, in which opening would make one.
 *
 * @throws CliError when they are empty, or of another program
 */
export function checkContent(place: Place, { mayBeEmpty = false }: { readonly mayBeEmpty?: boolean } = {}): void {
  const content = contentAt(place)
  if (content === 'cache' || (content === 'nothing' && mayBeEmpty)) return
  const held = content === 'nothing' ? 'holds nothing' : 'is the database of another program'
  throw new CliError(EXIT.noCache, `${place.directory} is no cache: its cache.db ${held}`)
}

function fileSentence(path: string): string {
  const hint = basename(path).startsWith('cache.db')
    ? `name the directory it is in: ${dirname(path)}`
    : 'name a directory'
  return `${path} is a file, not the directory of a cache; ${hint}`
}

/** Finds out what is at a path, a cache or not. @throws CliError if this user may not read it */
export function lookAt(path: string): Place {
  try {
    return placeAt(path)
  } catch (error) {
    if (error instanceof TypeError) throw new CliError(EXIT.usage, error.message, { cause: error })
    const { code = '' } = error as { readonly code?: string }
    if (code !== 'EACCES' && code !== 'EPERM') throw error
    throw new CliError(EXIT.storage, `no permission to look into ${path}: run this as the user it belongs to`, {
      cause: error,
    })
  }
}

/** Warns root, whose new files belong to root and cannot be read by a service of another user. */
function warnOfRoot(place: Place, note: (text: string) => void): void {
  if (process.geteuid?.() !== 0 || !isCache(place)) return
  const { uid } = statSync(place.directory)
  if (uid === 0) return
  note(
    `${place.directory} belongs to user ${uid}, and files that root makes there will not: better "sudo -u '#${uid}' fanout-cache …"`,
  )
}
