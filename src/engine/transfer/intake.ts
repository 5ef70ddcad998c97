import { createHash, type Hash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import type { Codec } from '../disk/codec.js'
import { DiskCacheError } from '../errors.js'
import { isDiskFull } from '../file-errors.js'
import { isLive } from '../operations/entries.js'
import { readEntry } from './entry-line.js'
import { bytesOf } from './exact-json.js'
import { checkHeader, checkTrailer, type Header, objectOf, type Trailer } from './format.js'
import type { Line } from './line-reader.js'
import { lostNumber, lostNumberText } from './lost-digits.js'
import type { Stage, StagedEntry } from './stage.js'
import { StreamError } from './stream-error.js'

/** Totals of what was read from a stream. */
export interface Taken {
  readonly entries: number
  readonly files: number
  /** Bytes of files. */
  readonly bytes: number
  /** Entries that had expired and were left out. */
  readonly expired: number
}

export interface IntakeOptions {
  /** Finds the codec for keys and values without a tag. */
  readonly codecFor: (header: Header) => Codec
  readonly includeExpired: boolean
  /** The current time in seconds since the epoch. */
  readonly now: number
}

/** The file whose lines are being read. */
interface OpenFile {
  readonly entry: StagedEntry
  readonly handle: FileHandle
  readonly hash: Hash
  readonly size: number
  read: number
}

/**
 * Reads a stream line by line into a stage and validates everything. A broken, truncated or altered stream is reported
 * with its line.
 */
export class Intake {
  readonly #options: IntakeOptions
  readonly #openStage: (header: Header) => Stage
  #codec: Codec | undefined
  #stage: Stage | undefined
  #file: OpenFile | undefined
  #ended = false
  #line = 0
  readonly #taken = { entries: 0, files: 0, bytes: 0, expired: 0 }

  /** @param openStage called once, with the header */
  constructor(options: IntakeOptions, openStage: (header: Header) => Stage) {
    this.#options = options
    this.#openStage = openStage
  }

  get taken(): Taken {
    return this.#taken
  }

  /** Reads a line. A blank one says nothing. @throws StreamError for a line that is not valid at this place */
  async take(line: Line): Promise<void> {
    const text = line.text.trim()
    if (text === '') return
    this.#line = line.number
    try {
      await this.#takeLine(parse(text))
    } catch (error) {
      throw this.#tell(error)
    }
  }

  /** Call this at the end of the stream. @throws StreamError when it was truncated */
  finish(): void {
    if (this.#ended) return
    if (!this.#stage) throw new StreamError(this.#line + 1, 'it is empty')
    throw new StreamError(this.#line + 1, 'it ends here, before its last line: it was cut off')
  }

  /** Closes a file that was begun. */
  async close(): Promise<void> {
    await this.#file?.handle.close()
    this.#file = undefined
  }

  async #takeLine(line: Readonly<Record<string, unknown>>): Promise<void> {
    if (this.#ended) throw new TypeError('there is more behind the last line')
    if (!this.#stage) return this.#begin(line)
    if (this.#file) return this.#takePart(this.#file, line)
    if (Object.hasOwn(line, 'end')) return this.#end(checkTrailer(line['end']))
    for (const name of ['chunk', 'sha256']) {
      if (Object.hasOwn(line, name)) throw new TypeError(`${name}: no entry before it has more of a file to come`)
    }
    await this.#takeEntry(this.#stage, line)
  }

  #begin(line: Readonly<Record<string, unknown>>): void {
    const header = checkHeader(line)
    this.#codec = this.#options.codecFor(header)
    this.#stage = this.#openStage(header)
  }

  async #takeEntry(stage: Stage, line: Readonly<Record<string, unknown>>): Promise<void> {
    const { now } = this.#options
    const { size, ...entry } = readEntry(line, this.#line, this.#codec as Codec, now)
    this.#taken.entries++
    if (size === undefined) return this.#keep({ ...entry, file: undefined })
    const { number, handle } = await stage.createFile()
    this.#file = { entry: { ...entry, file: { size, number } }, handle, hash: createHash('sha256'), size, read: 0 }
    this.#taken.files++
    this.#taken.bytes += size
  }

  async #takePart(file: OpenFile, line: Readonly<Record<string, unknown>>): Promise<void> {
    if (Object.hasOwn(line, 'chunk')) {
      const bytes = bytesOf(line['chunk'], 'chunk')
      file.hash.update(bytes)
      file.read += bytes.byteLength
      if (file.read > file.size) throw new RangeError(`the file is longer than its ${file.size} bytes`)
      for (let at = 0; at < bytes.byteLength; ) at += (await file.handle.write(bytes, at)).bytesWritten
      return
    }
    if (!Object.hasOwn(line, 'sha256')) {
      throw new TypeError(`the file of line ${file.entry.line} goes on: a line with chunk or sha256 is missing`)
    }
    if (file.read < file.size) throw new RangeError(`the file has ${file.read} bytes, and ${file.size} were announced`)
    if (line['sha256'] !== file.hash.digest('hex'))
      throw new RangeError('the file is damaged: its sha256 is another one')
    await this.close()
    this.#keep(file.entry)
  }

  #keep(entry: StagedEntry): void {
    if (!this.#options.includeExpired && !isLive(entry.expireTime, this.#options.now)) this.#taken.expired++
    else this.#stage?.add(entry)
  }

  #end(trailer: Trailer): void {
    for (const name of ['entries', 'files', 'bytes'] as const) {
      const said = trailer[name]
      if (said === undefined || said === this.#taken[name]) continue
      throw new RangeError(`${said} ${name} were sent, and ${this.#taken[name]} came: lines are missing, or too many`)
    }
    this.#ended = true
    this.#stage?.complete()
  }

  /** Adds the number of the line to an error of its content. Errors of the disk are returned unchanged. */
  #tell(error: unknown): unknown {
    if (error instanceof StreamError || isDiskFull(error)) return error
    const isItsFault = error instanceof TypeError || error instanceof RangeError || error instanceof DiskCacheError
    return isItsFault ? new StreamError(this.#line, error.message, { cause: error }) : error
  }
}

function parse(text: string): Readonly<Record<string, unknown>> {
  let line: unknown
  try {
    line = JSON.parse(text)
  } catch {
    throw new TypeError('it is no JSON')
  }
  const lost = lostNumber(text)
  if (lost !== undefined) throw new RangeError(lostNumberText(lost))
  return objectOf(line, 'it')
}
