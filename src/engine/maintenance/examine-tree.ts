import { type Dirent, lstatSync, readdirSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { DATABASE_FILE } from '../database/opening.js'
import { ORPHAN_MILLISECONDS, TEMPORARY_PREFIX, VALUE_FILE } from '../disk/value-files.js'
import { isMissing, systemCode } from '../file-errors.js'
import { QUARANTINE_PREFIX, UNFINISHED } from './quarantine.js'
import type { TaskControl } from './task-control.js'

/** Files of one kind: their number, total bytes, and the name of one of them. */
export interface Pile {
  readonly count: number
  readonly bytes: number
  readonly example: string | undefined
}

/** Files or directories with the same owner and permissions. */
export interface NodeFacts {
  /** `own`: the database, its log and other files that the cache keeps beside it. */
  readonly kind: 'directory' | 'value' | 'own'
  readonly uid: number
  readonly gid: number
  readonly mode: number
  readonly count: number
  readonly example: string
}

/** Facts about the directory of one database, found without opening any file. */
export interface TreeFacts {
  /** Number of value files, and of those in the folder that has the most. */
  readonly files: number
  readonly fullestFolder: number
  /** Value files older than an hour that no row names. */
  readonly orphans: Pile
  /** Files that do not belong to the cache. */
  readonly foreign: Pile
  /** Temporary files older than an hour. */
  readonly temporary: Pile
  /** Names of the directories of quarantined databases. `moving`: those whose move is not complete. */
  readonly quarantines: readonly string[]
  readonly moving: readonly string[]
  /** Owners and permissions. */
  readonly nodes: readonly NodeFacts[]
  /** Directories that this user may not read. */
  readonly closed: readonly string[]
}

export interface TreeOptions {
  readonly directory: string
  /** The current time in epoch milliseconds. */
  readonly now: number
  /** Names that rows use. `undefined`: they are not known, so that no file counts as an orphan. */
  readonly known: ReadonlySet<string> | undefined
  readonly control: TaskControl
}

/** Examines every file of one database. */
export function examineTree(options: TreeOptions): TreeFacts {
  return new TreeWalk(options).facts()
}

class TreeWalk {
  readonly #options: TreeOptions
  readonly #orphans = new PileCount()
  readonly #foreign = new PileCount()
  readonly #temporary = new PileCount()
  readonly #nodes = new Map<string, NodeFacts>()
  readonly #quarantines: string[] = []
  readonly #closed: string[] = []
  #files = 0
  #fullest = 0

  constructor(options: TreeOptions) {
    this.#options = options
  }

  facts(): TreeFacts {
    this.#lookAt('.', 'directory')
    this.#visit('')
    return {
      files: this.#files,
      fullestFolder: this.#fullest,
      orphans: this.#orphans.pile,
      foreign: this.#foreign.pile,
      temporary: this.#temporary.pile,
      quarantines: this.#quarantines.filter(name => !name.endsWith(UNFINISHED)),
      moving: this.#quarantines.filter(name => name.endsWith(UNFINISHED)),
      nodes: [...this.#nodes.values()],
      closed: this.#closed,
    }
  }

  #visit(relative: string): void {
    const entries = this.#list(relative)
    // Another cache, which is examined separately.
    if (relative !== '' && entries.some(({ name }) => name === DATABASE_FILE)) return
    const before = this.#files
    for (const entry of entries) if (!entry.isDirectory()) this.#file(nameOf(relative, entry))
    this.#options.control.goOn()
    this.#options.control.advance(this.#files - before)
    this.#fullest = Math.max(this.#fullest, this.#files - before)
    for (const entry of entries) if (entry.isDirectory()) this.#folder(nameOf(relative, entry))
  }

  #folder(name: string): void {
    if (name.startsWith(QUARANTINE_PREFIX)) this.#quarantines.push(name)
    if (name.includes(DATABASE_FILE)) return
    this.#lookAt(name, 'directory')
    this.#visit(name)
  }

  #file(name: string): void {
    const stat = this.#lookAt(name, name.includes(DATABASE_FILE) ? 'own' : 'value')
    if (!stat) return
    const age = this.#options.now - stat.mtimeMs
    if (name.startsWith(TEMPORARY_PREFIX)) {
      if (age >= ORPHAN_MILLISECONDS) this.#temporary.add(name, stat)
    } else if (!name.includes(DATABASE_FILE)) this.#value(name, stat, age)
  }

  #value(name: string, stat: Stats, age: number): void {
    const { known } = this.#options
    const isNamed = known?.has(name) ?? VALUE_FILE.test(name)
    // A custom Disk of Python may use any names, so all files that rows name count as value files.
    if (isNamed || VALUE_FILE.test(name)) this.#files++
    if (isNamed) return
    if (!VALUE_FILE.test(name)) this.#foreign.add(name, stat)
    else if (age >= ORPHAN_MILLISECONDS) this.#orphans.add(name, stat)
  }

  /** Records owner and permissions. `undefined` when the file has disappeared meanwhile. */
  #lookAt(name: string, kind: NodeFacts['kind']): Stats | undefined {
    try {
      const stat = lstatSync(join(this.#options.directory, name))
      const { uid, gid } = stat
      const mode = stat.mode & 0o7777
      const { count = 0, example = name } = this.#nodes.get(`${kind} ${uid} ${gid} ${mode}`) ?? {}
      this.#nodes.set(`${kind} ${uid} ${gid} ${mode}`, { kind, uid, gid, mode, count: count + 1, example })
      return stat
    } catch (error) {
      if (isMissing(error) || isForbidden(error)) return undefined
      throw error
    }
  }

  #list(relative: string): Dirent[] {
    try {
      return readdirSync(join(this.#options.directory, relative), { withFileTypes: true })
    } catch (error) {
      if (isForbidden(error)) this.#closed.push(relative === '' ? '.' : relative)
      else if (!isMissing(error)) throw error
      return []
    }
  }
}

class PileCount {
  pile: Pile = { count: 0, bytes: 0, example: undefined }

  add(name: string, { size }: Stats): void {
    const { count, bytes, example = name } = this.pile
    this.pile = { count: count + 1, bytes: bytes + size, example }
  }
}

function nameOf(relative: string, { name }: Dirent): string {
  return relative === '' ? name : `${relative}/${name}`
}

function isForbidden(error: unknown): boolean {
  const code = systemCode(error)
  return code === 'EACCES' || code === 'EPERM'
}
