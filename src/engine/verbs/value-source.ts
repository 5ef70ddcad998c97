import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import type { Work } from '../database/job.js'
import type { EncodedValue } from '../disk/codec.js'
import { giveBack } from '../disk/copy-buffers.js'
import type { PreparedValue } from '../disk/disk.js'
import type { Growth, PendingFile, WithRoom } from '../disk/pending-file.js'
import { ValueTooLargeError } from '../errors.js'
import { isDiskFull } from '../file-errors.js'
import type { Shard } from '../shards/shard.js'
import type { ResolvedStoring } from './verb-options.js'

/** How often a file is written again after room was made on a full disk. */
const FULL_TRIES = 3

/** The most room that is made for the coming writes of a growing file. Bytes. */
const MOST_AHEAD = 8 * 2 ** 20

/** A value on its way into a shard. It is encoded; its file, if it has one, is being written. */
export interface IncomingValue {
  readonly prepared: PreparedValue
  /** Settles when the file is written. */
  readonly readiness?: Promise<unknown>
  /** Removes the file when no row will name it. */
  readonly discard?: () => void
}

/** What a write that stores several values tells the writer of them. */
export function storingAll(values: readonly IncomingValue[]): Pick<Work<unknown>, 'bytes' | 'readiness' | 'discard'> {
  const files = values.flatMap(({ readiness }) => readiness ?? [])
  return {
    bytes: values.reduce((sum, { prepared }) => sum + prepared.weight, 0),
    readiness: files.length > 0 ? Promise.all(files) : undefined,
    discard: () => discardAll(values),
  }
}

/** Removes the files of values that are not stored. */
export function discardAll(values: readonly IncomingValue[]): void {
  for (const { discard } of values) discard?.()
}

/** The same for a file that was written in parts. */
export function storingFile(
  { disk: { files } }: Shard,
  file: PendingFile | undefined,
): Pick<Work<unknown>, 'readiness' | 'discard'> {
  return file ? { readiness: files.syncing(file), discard: () => files.discard(file) } : {}
}

/** Whether a value is to be streamed to a file. */
export function isStream(value: unknown): value is Readable | ReadableStream | Blob {
  if (typeof value !== 'object' || value === null) return false
  if (value instanceof Readable || value instanceof Blob || value instanceof globalThis.ReadableStream) return true
  return 'pipe' in value && typeof value.pipe === 'function' && Symbol.asyncIterator in value
}

/** Listens to errors of a stream from the call on. A failure before the first read would end the process otherwise. */
export function watchStream(source: Readable | ReadableStream | Blob): void {
  if ('on' in source && typeof source.on === 'function') source.on('error', () => undefined)
}

/**
 * Prepares an encoded value and starts to write its file.
 *
 * @throws ValueTooLargeError when the shard could never hold it
 */
export function takeValue(
  shard: Shard,
  encoded: EncodedValue,
  value: unknown,
  storing: ResolvedStoring,
): IncomingValue {
  const { minFileSize, sizeLimit } = shard.settings
  const { file, meta } = storing
  const prepared = shard.disk.prepare(encoded, value, { minFileSize, file, meta })
  if (prepared.weight > sizeLimit) throw new ValueTooLargeError(prepared.weight, sizeLimit, shard.options.shards)
  if (!prepared.bytes) return { prepared }
  const { bytes } = prepared
  const readiness = writeFile(shard, bytes).then(written => {
    prepared.file = written
    prepared.bytes = undefined
    giveBack(bytes)
  })
  const discard = (): void => {
    readiness.then(
      () => prepared.file && shard.disk.files.discard(prepared.file),
      // Nothing was written, so there is nothing to remove.
      () => undefined,
    )
  }
  return { prepared, readiness, discard }
}

/** Prepares a value synchronously, for an open transaction. */
export function takeValueNow(shard: Shard, value: unknown, storing: ResolvedStoring): IncomingValue {
  const { minFileSize, sizeLimit } = shard.settings
  const { file, meta } = storing
  const prepared = shard.disk.prepare(shard.options.codec.encodeValue(value), value, { minFileSize, file, meta })
  if (prepared.weight > sizeLimit) throw new ValueTooLargeError(prepared.weight, sizeLimit, shard.options.shards)
  if (!prepared.bytes) return { prepared }
  const written = shard.disk.files.writeSync(prepared.bytes)
  giveBack(prepared.bytes)
  prepared.bytes = undefined
  prepared.file = written
  return { prepared, discard: () => shard.disk.files.discard(written) }
}

/** Copies a stream to a file. */
export async function takeStream(
  shard: Shard,
  source: Readable | ReadableStream | Blob,
  meta: string | undefined,
  signal: AbortSignal | undefined,
): Promise<IncomingValue> {
  const { sizeLimit } = shard.settings
  const tooLong = (size: number): Error => new ValueTooLargeError(size, sizeLimit, shard.options.shards)
  const withRoom: WithRoom = (growth, write) => writeWithRoom(shard, growth, write)
  const file = await shard.disk.files.copy(toReadable(source), { limit: sizeLimit, tooLong, signal, withRoom })
  const prepared = shard.disk.prepareFile(file, meta)
  return { prepared, discard: () => shard.disk.files.discard(file) }
}

function writeFile(shard: Shard, bytes: Buffer): Promise<PendingFile> {
  return writeWithRoom(shard, { length: bytes.byteLength, before: 0 }, () => shard.disk.files.write(bytes))
}

/** Runs a write to a file. When the disk is full, it makes room and runs it again. */
export async function writeWithRoom<T>(
  { reserve }: Shard,
  { length, before }: Growth,
  write: () => Promise<T>,
): Promise<T> {
  // A file that grows has room made for as much as it has already, or there would be evictions at each of its writes.
  const room = length + Math.min(before, MOST_AHEAD)
  for (let attempt = 1; ; attempt++) {
    try {
      return await write()
    } catch (error) {
      if (!isDiskFull(error) || attempt === FULL_TRIES || !reserve.makeRoom(true, room)) throw error
    }
  }
}

function toReadable(source: Readable | ReadableStream | Blob): Readable {
  if (source instanceof Readable && source.errored) throw source.errored
  const used = source instanceof Blob ? false : Readable.isDisturbed(source as Readable)
  if (used) throw new TypeError('the stream has been read already, or has ended: nothing would be stored')
  if (source instanceof Readable) return source
  if (source instanceof Blob) return Readable.fromWeb(source.stream() as ReadableStream)
  if (source instanceof globalThis.ReadableStream) return Readable.fromWeb(source as ReadableStream)
  return Readable.from(source as AsyncIterable<unknown>)
}
