import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import * as fsp from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { isMissing, systemCode } from '../file-errors.js'
import { ByteMeter } from './byte-meter.js'
import { FileSink } from './file-sink.js'
import { inTurn, outOfTurn } from './file-turns.js'
import { OpeningFiles } from './opening-files.js'
import type { CopyBounds, PendingFile, PlannedFile } from './pending-file.js'
import {
  openPlain,
  openPlainNow,
  openToRead,
  readDescriptor,
  readDescriptorNow,
  retryMissing,
  writeDescriptorNow,
  writeHandle,
} from './plain-files.js'
import { syncBytes, syncPlaced } from './power-failure.js'
import { plainName, removableName, slashed } from './safe-filename.js'
import { type FileModes, ValueFolders } from './value-folders.js'

/**
 * Prefix of temporary files. Python's `check()` skips paths that contain `cache.db`. The files lie beside the database,
 * because Python would report a directory for them whenever it is empty.
 */
export const TEMPORARY_PREFIX = 'cache.db-tmp-'
/** Age at which a file without a row is an orphan. A write takes less time between its file and its commit. */
export const ORPHAN_MILLISECONDS = 3_600_000

/** Names of value files below the directory of the cache, such as `1f/e2/03f4a89b1c7d6e5f40312233445566.val`. */
export const VALUE_FILE: RegExp = /^[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{28}\.val$/

/** Attempts: others may remove empty directories between our two calls. */
const PLACE_TRIES = 10

/**
 * The value files of one directory. A file is written under a temporary name and moved to its place just before the
 * commit of its row. It is never rewritten, and its name is never reused.
 */
export class ValueFiles {
  readonly directory: string
  readonly modes: FileModes
  readonly #folders: ValueFolders
  readonly #opening = new OpeningFiles()
  readonly #isDurable: () => boolean

  /** @param isDurable whether files must outlast a power failure once their rows are committed */
  constructor(directory: string, modes: FileModes, isDurable: () => boolean) {
    this.directory = directory
    this.modes = modes
    this.#isDurable = isDurable
    this.#folders = new ValueFolders(directory, modes)
  }

  /** Writes bytes to a temporary file. */
  write(bytes: Uint8Array | string): Promise<PendingFile> {
    return inTurn(() => this.#write(bytes))
  }

  async #write(bytes: Uint8Array | string): Promise<PendingFile> {
    const temporary = temporaryName()
    const handle = await this.#createTemporary(temporary)
    const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    try {
      await writeHandle(handle, data)
      // Some file systems tell only now that there was no room.
      await handle.close()
      const file = { temporary, size: data.byteLength }
      await this.syncing(file)
      return file
    } catch (error) {
      await this.#abandon(handle, temporary)
      throw error
    }
  }

  writeSync(bytes: Uint8Array | string): PendingFile {
    const temporary = temporaryName()
    const path = join(this.directory, temporary)
    const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    try {
      retryMissing(attempt => {
        if (attempt > 1) this.#folders.makeDirectory('.')
        writeDescriptorNow(fs.openSync(path, 'wx', this.modes.file), data)
      })
      if (this.modes.exact) fs.chmodSync(path, this.modes.file)
    } catch (error) {
      this.discard({ temporary, size: 0 })
      throw error
    }
    return { temporary, size: data.byteLength }
  }

  /** Creates a temporary file that is written in parts and can be read meanwhile. */
  async create(): Promise<{ readonly temporary: string; readonly handle: fsp.FileHandle }> {
    const temporary = temporaryName()
    return { temporary, handle: await this.#createTemporary(temporary) }
  }

  /** Copies a stream to a temporary file. A source that fails or exceeds its limit leaves nothing behind. */
  async copy(source: Readable, bounds: CopyBounds): Promise<PendingFile> {
    const { limit, tooLong, signal, withRoom } = bounds
    const temporary = temporaryName()
    // The source may fail while the file is being created, when nobody reads it yet.
    source.on('error', () => undefined)
    const handle = await this.#createTemporary(temporary).catch(error => {
      source.destroy()
      throw error
    })
    const meter = new ByteMeter(limit, tooLong)
    try {
      await pipeline(source, meter, new FileSink(handle, withRoom), { signal })
      const file = { temporary, size: meter.size }
      await this.syncing(file)
      return file
    } catch (error) {
      await this.#abandon(handle, temporary)
      throw error
    }
  }

  /** Waits off the loop for what `sync` would wait for at the commit. `undefined` where nothing has to be waited for. */
  syncing(file: PendingFile): Promise<void> | undefined {
    return this.#isDurable() ? syncBytes(join(this.directory, file.temporary), file) : undefined
  }

  /** Waits until files in their places outlast a power failure. Call this before the commit of their rows. */
  sync(files: readonly PendingFile[]): void {
    if (files.length > 0 && this.#isDurable()) syncPlaced(this.directory, files)
  }

  /** Moves a file to its place and returns its relative name. Does nothing when it is there already. */
  place(file: PendingFile): string {
    if (file.filename !== undefined) return file.filename
    const name = `${randomBytes(14).toString('hex')}.val`
    const from = join(this.directory, file.temporary)
    let folder = this.#folders.next()
    for (let attempt = 1; ; attempt++) {
      try {
        if (attempt > 1) this.#folders.make(folder)
        fs.renameSync(from, join(this.directory, folder, name))
        break
      } catch (error) {
        if (attempt > 1) this.#folders.pruneNow(`${folder}/${name}`)
        const mayGo = isMissing(error) || systemCode(error) === 'EEXIST'
        // The folder is missing or was removed meanwhile. After three attempts something foreign must be in its place.
        if (!mayGo || attempt >= 3) folder = this.#folders.change()
        if (!mayGo || attempt === PLACE_TRIES) throw error
      }
    }
    file.filename = `${folder}/${name}`
    return file.filename
  }

  /**
   * Moves a file to the place named by its `filename`, as late as possible. Sets its time to now, so that it does not
   * look like an orphan until its row is committed.
   */
  settle(file: PlannedFile, now: number): void {
    const { temporary, filename } = file
    const from = join(this.directory, temporary)
    fs.utimesSync(from, now, now)
    retryMissing(attempt => {
      if (attempt > 1) this.#folders.make(dirname(filename))
      fs.renameSync(from, join(this.directory, filename))
    })
  }

  /** Moves a file back from its place when its row was rolled back, so that no quarantine moves it along. */
  displace(file: PendingFile): void {
    const { filename } = file
    if (filename === undefined) return
    try {
      fs.renameSync(join(this.directory, filename), join(this.directory, file.temporary))
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      // The file keeps its place and is used there, unless it is gone.
      if (!isMissing(error)) return
    }
    delete file.filename
    this.#folders.pruneNow(filename)
  }

  /**
   * Removes a file that no row will name, synchronously, so that nothing is left when a caller hears of a refused
   * write. If that fails, the sweep removes it later.
   */
  discard(file: PendingFile): void {
    try {
      fs.unlinkSync(join(this.directory, file.filename ?? file.temporary))
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      if (!isMissing(error)) return
    }
    if (file.filename !== undefined) this.#folders.pruneNow(file.filename)
  }

  /**
   * Removes a value file and the directories that it leaves empty. Missing files are fine; foreign ones stay, and so do
   * those that cannot be removed, for the sweep.
   */
  remove(filename: string): Promise<void> {
    const name = removableName(this.directory, filename)
    if (name === undefined) return Promise.resolve()
    const opened = this.#opening.ended(name)
    if (opened) return opened.then(() => this.remove(filename))
    return new Promise(resolve => {
      fs.unlink(join(this.directory, name), () => this.#folders.prune(name, resolve))
    })
  }

  removeSync(filename: string): void {
    const name = removableName(this.directory, filename)
    if (name !== undefined) this.discard({ temporary: name, filename: name, size: 0 })
  }

  /** Reads a value file, with `openNow` as `openAndRead`. `undefined` when it is missing, no file, or of another size. */
  async read(filename: string, size: number, options?: { readonly openNow: boolean }): Promise<Buffer | undefined> {
    if (options?.openNow) return this.openAndRead(filename, size)
    const opened = this.#opening.begin(slashed(filename))
    return inTurn(() => this.#read(filename, size, opened)).finally(opened)
  }

  /** Opens a value file before it returns, so that it may be unlinked afterwards. */
  openAndRead(filename: string, size: number): Promise<Buffer | undefined> {
    const opened = this.#openNow(filename, size)
    return opened === undefined ? Promise.resolve(undefined) : outOfTurn(() => readDescriptor(opened, size))
  }

  async #read(filename: string, size: number, opened: () => void): Promise<Buffer | undefined> {
    const name = plainName(this.directory, filename)
    const descriptor = name === undefined ? undefined : await openToRead(join(this.directory, name), size)
    opened()
    return descriptor === undefined ? undefined : readDescriptor(descriptor, size)
  }

  readSync(filename: string, size: number): Buffer | undefined {
    const descriptor = this.#openNow(filename, size)
    return descriptor === undefined ? undefined : readDescriptorNow(descriptor, size)
  }

  /** Opens a value file of a known size. `undefined` when it is missing, no plain file, or has another size. */
  async open(filename: string, size: number): Promise<fsp.FileHandle | undefined> {
    const name = plainName(this.directory, filename)
    if (name === undefined) return undefined
    const opened = this.#opening.begin(name)
    return openPlain(join(this.directory, name), size).finally(opened)
  }

  /** Whether a value file is there. `false` when it is missing, no plain file, or has another size. */
  holds(filename: string, size: number): boolean {
    const descriptor = this.#openNow(filename, size)
    if (descriptor !== undefined) fs.closeSync(descriptor)
    return descriptor !== undefined
  }

  #openNow(filename: string, size: number): number | undefined {
    const name = plainName(this.directory, filename)
    return name === undefined ? undefined : openPlainNow(join(this.directory, name), size)
  }

  async #createTemporary(temporary: string): Promise<fsp.FileHandle> {
    const handle = await this.#openNew(join(this.directory, temporary))
    try {
      if (this.modes.exact) await handle.chmod(this.modes.file)
    } catch (error) {
      await this.#abandon(handle, temporary)
      throw error
    }
    return handle
  }

  /** Opens a new file. Creates the directory again if somebody has removed it. */
  async #openNew(path: string): Promise<fsp.FileHandle> {
    try {
      return await fsp.open(path, 'wx+', this.modes.file)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    this.#folders.makeDirectory('.')
    return fsp.open(path, 'wx+', this.modes.file)
  }

  /** Removes a file that could not be written. What fails here must not hide the reason; the sweep removes the rest. */
  async #abandon(handle: fsp.FileHandle, temporary: string): Promise<void> {
    await handle.close().catch(() => undefined)
    await fsp.unlink(join(this.directory, temporary)).catch(() => undefined)
  }
}

function temporaryName(): string {
  return `${TEMPORARY_PREFIX}${randomBytes(16).toString('hex')}`
}
