import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import * as fsp from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { type Connection, connect } from '../database/connection.js'
import type { EncodedKey, EncodedValue, SqlValue } from '../disk/codec.js'
import { hashKey } from '../disk/key-hash.js'
import { type FileModes, ValueFolders } from '../disk/value-folders.js'
import { STAGE_DATABASE, STAGE_PREFIX, STAGE_UNBORN } from '../maintenance/import-stages.js'
import { shardDirectory } from '../shards/layout.js'
import { removeTree } from './remove-tree.js'

/** An entry that was read, in the units of rows. */
export interface StagedEntry {
  readonly line: number
  readonly key: EncodedKey
  /** The value. For a file: its mode and metadata. */
  readonly value: EncodedValue
  readonly file: { readonly size: number; readonly number: number } | undefined
  readonly storeTime: number
  readonly expireTime: number | null
  readonly accessTime: number
  readonly accessCount: number
  readonly tag: SqlValue
  readonly tags: readonly string[]
  readonly computed: { readonly due: number | null; readonly seconds: number } | undefined
}

/** A staged entry with its place in the cache. */
export interface StagedRow extends StagedEntry {
  readonly shard: number
  /** The present and the final path of its file, relative to the directory of its shard. */
  readonly moving: { readonly temporary: string; readonly filename: string } | undefined
}

/** The bytes that the rows of one shard will need. */
export interface ShardWeight {
  bytes: number
  largest: number
}

const SCHEMA = `CREATE TABLE Row (
  at INTEGER PRIMARY KEY, line, shard, number, key, raw, mode, value, size, file, filename,
  store_time REAL, expire_time REAL, access_time REAL, access_count, tag, tags, due REAL, seconds REAL)`
const INSERT = `INSERT INTO Row VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
/** Pragmas without durability, since an unfinished stage is discarded. */
const PRAGMAS = ['journal_mode = OFF', 'synchronous = OFF', 'locking_mode = EXCLUSIVE', 'cache_size = -8192']
const COMMIT_EVERY = 4096

/**
 * The data that an import has read: rows in a database of its own and files. It is a directory beside the databases of
 * the cache, so that the files need only be renamed. Its lock shows that the import is running.
 */
export class Stage {
  readonly directory: string
  readonly #home: string
  readonly #shards: number | undefined
  readonly #modes: FileModes
  readonly #db: Connection
  readonly #insert: { run(...values: SqlValue[]): unknown }
  /** The bytes that the rows will need, by shard. */
  readonly weights: Map<number, ShardWeight> = new Map()
  readonly #folders = new Map<number, ValueFolders>()
  #files = 0
  #rows = 0

  private constructor(home: string, directory: string, shards: number | undefined, modes: FileModes, db: Connection) {
    this.#home = home
    this.directory = directory
    this.#shards = shards
    this.#modes = modes
    this.#db = db
    this.#insert = db.prepare<SqlValue[]>(INSERT)
  }

  /** Creates a stage. @param shards the number of shards of a FanoutCache; `undefined`: a Cache */
  static make(home: string, shards: number | undefined, modes: FileModes): Stage {
    const directory = join(home, STAGE_PREFIX + randomBytes(8).toString('hex'))
    const unborn = directory + STAGE_UNBORN
    mkdirSync(unborn, { mode: 0o700 })
    let db: Connection | undefined
    try {
      db = connect(join(unborn, STAGE_DATABASE), { readonly: false, mustExist: false })
      for (const pragma of PRAGMAS) db.pragma(pragma)
      db.exec(`BEGIN EXCLUSIVE; ${SCHEMA}; COMMIT; BEGIN`)
      // Renamed after locking, so that others never see a stage without a lock and take it for abandoned.
      renameSync(unborn, directory)
      return new Stage(home, directory, shards, modes, db)
    } catch (error) {
      db?.close()
      rmSync(unborn, { recursive: true, force: true })
      throw error
    }
  }

  get rows(): number {
    return this.#rows
  }

  /** Creates a numbered file for a value. */
  async createFile(): Promise<{ readonly number: number; readonly handle: fsp.FileHandle }> {
    const number = ++this.#files
    const path = this.#pathOf(number)
    const handle = await fsp.open(path, 'wx', this.#modes.file)
    if (this.#modes.exact) chmodSync(path, this.#modes.file)
    return { number, handle }
  }

  add(entry: StagedEntry): void {
    const { key, value, file, computed } = entry
    const number = this.#shards === undefined ? 0 : hashKey(key) % this.#shards
    this.#insert.run(
      BigInt(entry.line),
      this.#shards === undefined ? '' : basename(this.#shardDirectory(number)),
      BigInt(number),
      key.data,
      key.raw ? 1n : 0n,
      BigInt(value.mode),
      value.data,
      BigInt(file?.size ?? 0),
      file === undefined ? null : BigInt(file.number),
      file === undefined ? null : this.#nextPlace(number),
      entry.storeTime,
      entry.expireTime,
      entry.accessTime,
      BigInt(entry.accessCount),
      entry.tag,
      entry.tags.length === 0 ? null : JSON.stringify(entry.tags),
      computed?.due ?? null,
      computed?.seconds ?? null,
    )
    this.#weigh(number, entry)
    if (++this.#rows % COMMIT_EVERY === 0) this.#db.exec('COMMIT; BEGIN')
  }

  /** Commits the rows, so that others can clean up after a crash. */
  complete(): void {
    this.#db.exec('COMMIT')
  }

  /** Reads rows in the order of the stream, up to a limit. */
  page(after: number, limit: number): StagedRow[] {
    const statement = this.#db.prepare('SELECT * FROM Row WHERE at > ? ORDER BY at LIMIT ?').raw().safeIntegers()
    return (statement.all(after, limit) as RawRow[]).map(row => this.#rowOf(row))
  }

  /** Removes the stage with its content. @param home the present path of the directory */
  async remove(home: string): Promise<void> {
    this.#db.close()
    await removeTree(join(home, basename(this.directory)))
  }

  #rowOf(row: RawRow): StagedRow {
    const [, line, , number, data, raw, mode, value, size, file, filename, ...rest] = row
    const [storeTime, expireTime, accessTime, accessCount, tag, tags, due, seconds] = rest
    const shard = Number(number)
    return {
      line: Number(line),
      shard,
      key: { data, raw: raw !== 0n },
      value: { mode: Number(mode), data: value },
      file: file === null ? undefined : { size: Number(size), number: Number(file) },
      moving:
        file === null || filename === null
          ? undefined
          : { temporary: relative(this.#shardDirectory(shard), this.#pathOf(Number(file))), filename },
      storeTime,
      expireTime,
      accessTime,
      accessCount: Number(accessCount),
      tag,
      tags: tags === null ? [] : (JSON.parse(tags) as string[]),
      computed: seconds === null ? undefined : { due, seconds },
    }
  }

  #weigh(shard: number, { key, value, file }: StagedEntry): void {
    const size = file?.size ?? 0
    const weight = this.weights.get(shard) ?? { bytes: 0, largest: 0 }
    weight.bytes += size + lengthOf(value.data) + lengthOf(key.data)
    weight.largest = Math.max(weight.largest, size)
    this.weights.set(shard, weight)
  }

  #nextPlace(shard: number): string {
    let folders = this.#folders.get(shard)
    if (!folders) {
      folders = new ValueFolders(this.#shardDirectory(shard), this.#modes)
      this.#folders.set(shard, folders)
    }
    return `${folders.next()}/${randomBytes(14).toString('hex')}.val`
  }

  #shardDirectory(shard: number): string {
    return this.#shards === undefined ? this.#home : shardDirectory(this.#home, shard)
  }

  #pathOf(number: number): string {
    return join(this.directory, `value-${number}`)
  }
}

/** The approximate size of a value in a row: characters of text, bytes of all else. */
function lengthOf(data: SqlValue): number {
  return typeof data === 'string' || Buffer.isBuffer(data) ? data.length : 8
}

type RawRow = readonly [
  at: bigint,
  line: bigint,
  shard: string,
  number: bigint,
  key: SqlValue,
  raw: bigint,
  mode: bigint,
  value: SqlValue,
  size: bigint,
  file: bigint | null,
  filename: string | null,
  storeTime: number,
  expireTime: number | null,
  accessTime: number,
  accessCount: bigint,
  tag: SqlValue,
  tags: string | null,
  due: number | null,
  seconds: number | null,
]
