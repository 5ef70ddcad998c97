import { type Dirent, lstatSync, readdirSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { DATABASE_FILE } from '../database/opening.js'
import { ORPHAN_MILLISECONDS, TEMPORARY_PREFIX, VALUE_FILE } from '../disk/value-files.js'
import { isMissing, systemCode } from '../file-errors.js'
import { QUARANTINE_PREFIX, UNFINISHED } from './quarantine.js'
import type { TaskControl } from './task-control.js'

/** Files of one kind: how many, how long together, and the name of one of them. */
export interface Pile {
  readonly count: number
  readonly bytes: number
  readonly example: string | undefined
}

/** Files or directories that have the same owner and permissions. */
export interface NodeFacts {
  /** `own`: the database, its log and what else the cache keeps beside it. */
  readonly kind: 'directory' | 'value' | 'own'
  readonly uid: number
  readonly gid: number
  readonly mode: number
  readonly count: number
  readonly example: string
}

/** What lies in the directory of one database, seen without opening any file. */
export interface TreeFacts {
  /** Value files, and the folders in which they lie. */
  readonly files: number
  readonly folders: number
  readonly fullestFolder: number
  /** Value files that no row names, written more than an hour ago. */
  readonly orphans: Pile
  /** Files that look like none of the cache's. */
  readonly foreign: Pile
  /** Values on their way, begun more than an hour ago. */
  readonly temporary: Pile
  /** Databases that were moved aside, by the names of their directories; `moving`: it did not come to its end. */
  readonly quarantines: readonly string[]
  readonly moving: readonly string[]
  /** Whose all of it is, and who may do what with it. */
  readonly nodes: readonly NodeFacts[]
  /** Directories into which this user may not look. */
  readonly closed: readonly string[]
}

export interface TreeOptions {
  readonly directory: string
  /** Epoch milliseconds. */
  readonly now: number
  /** Names that rows use; `undefined` when they are not known, so that no file can be called an orphan. */
  readonly known: ReadonlySet<string> | undefined
  readonly control: TaskControl
}

/** Looks at every file of one database. */
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
  #folders = 0
  #fullest = 0

  constructor(options: TreeOptions) {
    this.#options = options
  }

  facts(): TreeFacts {
    this.#lookAt('.', 'directory')
    this.#visit('')
    return {
      files: this.#files,
      folders: this.#folders,
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
    // Another cache, which is looked at for itself.
    if (relative !== '' && entries.some(({ name }) => name === DATABASE_FILE)) return
    const before = this.#files
    for (const entry of entries) if (!entry.isDirectory()) this.#file(nameOf(relative, entry))
    this.#options.control.goOn()
    this.#options.control.advance(this.#files - before)
    if (this.#files > before) this.#folders++
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
    // A custom Disk of Python may give its files any names: those that rows name are values.
    if (isNamed || VALUE_FILE.test(name)) this.#files++
    if (isNamed) return
    if (!VALUE_FILE.test(name)) this.#foreign.add(name, stat)
    else if (age >= ORPHAN_MILLISECONDS) this.#orphans.add(name, stat)
  }

  /** Counts owner and permissions; `undefined` for what has gone meanwhile. */
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
