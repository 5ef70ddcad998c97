import { readFileSync, realpathSync, statfsSync, statSync } from 'node:fs'
import { dirname, relative } from 'node:path'
import { systemClock } from '../../engine/for-cli.js'
import {
  type AbandonedStage,
  abandonedStages,
  type CachePlace,
  type DatabaseFacts,
  driverVersions,
  examinePlaces,
  isWritable,
  type MaintenanceOptions,
  strangersBesideShards,
} from '../../engine/for-maintenance.js'
import type { Target } from '../maintenance.js'
import { VERSION } from '../version.js'
import { fileSystemOf, type Mount, mountOf } from './mounts.js'
import { findUser, type Rights, type User } from './users.js'

/** The directory of the cache or one of its parents. */
export interface Way extends Rights {
  readonly path: string
}

export interface ExaminedDatabase extends DatabaseFacts {
  readonly role: CachePlace['role']
  /** Whether this user may write to it. `undefined` when it does not exist. */
  readonly writable: boolean | undefined
}

/** The facts to be judged. Those that could not be determined are `undefined`. */
export interface Facts {
  /** The canonical path. */
  readonly directory: string
  readonly kind: 'Cache' | 'FanoutCache'
  /** The current time in epoch milliseconds. */
  readonly now: number
  readonly versions: {
    readonly package: string
    readonly node: string
    readonly driver: string | undefined
    readonly sqlite: string
  }
  readonly mount: Mount | undefined
  /** Bytes and inodes of the file system. 0 files: it does not count inodes. */
  readonly space:
    | { readonly bytes: number; readonly freeBytes: number; readonly files: number; readonly freeFiles: number }
    | undefined
  /** From the root down to the cache. */
  readonly ways: readonly Way[]
  /** The present user. `undefined` on systems without user ids. */
  readonly uid: number | undefined
  /** The given user of the web server. */
  readonly webUser: User | undefined
  /** Foreign names beside the shards. */
  readonly strangers: readonly string[]
  /** What killed imports have left, with paths relative to the directory. */
  readonly imports: readonly AbandonedStage[]
  readonly databases: readonly ExaminedDatabase[]
}

/** Collects all facts without changing anything. */
export async function collectFacts(
  target: Target,
  webUser: string | undefined,
  options: MaintenanceOptions,
): Promise<Facts> {
  const directory = realpathSync(target.directory)
  const databases = await examinePlaces(target.directory, target.places, options)
  return {
    directory,
    kind: target.kind,
    now: systemClock.now(),
    versions: { package: VERSION, node: process.versions.node, ...driverVersions() },
    ...volumeOf(directory),
    ways: waysTo(directory),
    uid: process.geteuid?.(),
    webUser: webUser === undefined ? undefined : userOf(webUser),
    strangers: target.kind === 'FanoutCache' ? strangersOf(directory) : [],
    imports: importsIn(target),
    databases: databases.map((facts, at) => examined(facts, target.places[at] as CachePlace)),
  }
}

function examined(facts: DatabaseFacts, { directory, role }: CachePlace): ExaminedDatabase {
  const writable = facts.exists ? isWritable(directory) && isWritable(`${directory}/cache.db`) : undefined
  return { ...facts, role, writable }
}

function importsIn({ directory, places }: Target): AbandonedStage[] {
  const homes = new Set([directory, ...places.filter(({ role }) => role === 'below').map(place => place.directory)])
  return [...homes]
    .flatMap(home => abandonedStages(home))
    .map(({ path, bytes }) => ({ path: relative(directory, path), bytes }))
}

function strangersOf(directory: string): string[] {
  return strangersBesideShards(directory).flatMap(({ path }) => (path === undefined ? [] : [path]))
}

function volumeOf(directory: string): Pick<Facts, 'mount' | 'space'> {
  const { type, bsize, blocks, bavail, files, ffree } = statfsSync(directory)
  return {
    mount: mountPoint(directory) ?? mountByNumber(type),
    space: { bytes: blocks * bsize, freeBytes: bavail * bsize, files, freeFiles: ffree },
  }
}

function mountPoint(directory: string): Mount | undefined {
  const text = textOf('/proc/self/mountinfo')
  return text === undefined ? undefined : mountOf(text, directory)
}

function mountByNumber(magic: number): Mount | undefined {
  const type = process.platform === 'linux' ? fileSystemOf(magic) : undefined
  return type === undefined ? undefined : { type, point: '', source: '', readonly: false }
}

function waysTo(directory: string): Way[] {
  const ways: Way[] = []
  for (let path = directory; ; path = dirname(path)) {
    const { uid, gid, mode } = statSync(path)
    ways.unshift({ path, uid, gid, mode: mode & 0o7777 })
    if (path === dirname(path)) return ways
  }
}

function userOf(name: string): User | undefined {
  return findUser(name, textOf('/etc/passwd') ?? '', textOf('/etc/group') ?? '')
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Not available on this system or for this user.
    return undefined
  }
}
