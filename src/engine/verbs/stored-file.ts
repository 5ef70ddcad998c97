import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { StoredFile } from '../contract.js'
import type { EncodedKey } from '../disk/codec.js'
import { closeRead, readHandle } from '../disk/plain-files.js'
import { entryOf, isLive } from '../operations/entries.js'
import { checkOptionNames, checkOptionsObject, kindOf } from '../option-names.js'
import type { FileRange, Info } from '../options.js'
import type { Shard } from '../shards/shard.js'
import { cutShort, FileStream } from './file-stream.js'
import { FILE_TRIES, miss, noteFound, sessionOf, toInfo, withItsTags } from './reading.js'
import { runOf } from './reading-among-writes.js'

/** How the access of a read is counted and noted. */
interface Accounting {
  readonly found: typeof noteFound
  readonly missed: typeof miss
}

const COUNTED: Accounting = { found: noteFound, missed: miss }
const UNCOUNTED: Accounting = { found: () => undefined, missed: () => undefined }

/** Opens the value of a key. The file is open before its `Info` is returned, so that it can be read to its end. */
export function openStoredFile(shard: Shard, key: EncodedKey): Promise<StoredFile | undefined> {
  return open(shard, key, COUNTED)
}

/** Like `openStoredFile`, for a caller who has counted the access already. */
export function openUncounted(shard: Shard, key: EncodedKey): Promise<StoredFile | undefined> {
  return open(shard, key, UNCOUNTED)
}

async function open(shard: Shard, key: EncodedKey, { found, missed }: Accounting): Promise<StoredFile | undefined> {
  let previous: string | undefined
  const run = runOf(sessionOf(shard))
  for (let attempt = 0; attempt < FILE_TRIES; attempt++) {
    const session = sessionOf(shard)
    const entry = withItsTags(session, () => {
      const row = entryOf(session, key)
      return row && isLive(row[4], shard.disk.now()) ? { row, info: toInfo(session, row) } : undefined
    })
    if (!entry) return missed(shard, session, key)
    const { row, info } = entry
    const [rowid, , , , , accessTime, , , size, mode, filename, data] = row
    // The file of an encoded value does not hold the bytes of the value, so `path` is left out.
    const { path: _path, ...decoded } = info
    if (filename === null) {
      found(shard, session, key, rowid, accessTime)
      const bytes = shard.disk.readableBytes(mode, data)
      return storedFile({ ...info, size: bytes.byteLength }, { bytes })
    }
    if (!shard.disk.isVerbatim(mode)) {
      const stored = await shard.disk.files.read(filename, size, { openNow: session.db.inTransaction })
      if (stored) {
        if (!run.inVain) found(shard, session, key, rowid, accessTime)
        const bytes = shard.disk.readableBytes(mode, stored)
        return storedFile({ ...decoded, size: bytes.byteLength }, { bytes })
      }
    }
    const handle = await shard.disk.files.open(filename, size)
    if (handle) {
      if (!run.inVain) found(shard, session, key, rowid, accessTime)
      return storedFile(info, { handle, shard })
    }
    if (previous === filename) {
      shard.noteDamaged(rowid, filename)
      break
    }
    previous = filename
  }
  return shard.current && !run.inVain ? missed(shard, shard.current, key) : undefined
}

interface OpenFile {
  readonly handle: FileHandle
  readonly shard: Shard
}

type Source = { readonly bytes: Buffer } | OpenFile

async function allOf({ handle, shard }: OpenFile, size: number): Promise<Buffer> {
  const bytes = await readHandle(handle, size).catch(error => {
    throw shard.translate(error)
  })
  if (bytes) return bytes
  throw cutShort(shard)
}

/** Combines an `Info` with the methods of an open file. */
function storedFile(info: Info, source: Source): StoredFile {
  let used = false
  const begin = (): void => {
    if (used) throw new TypeError('a stored file can be read once: it closes itself at the end')
    used = true
  }
  const close = async (): Promise<void> => {
    used = true
    if ('handle' in source) await closeRead(source.handle)
  }
  return {
    ...info,
    stream(range = {}) {
      const { start = 0, end, keepOpen = false } = checkRange(range)
      const last = Math.min(end ?? info.size, info.size - 1)
      begin()
      if (keepOpen) used = false
      if ('bytes' in source) return Readable.from([source.bytes.subarray(start, last + 1)], { objectMode: false })
      return new FileStream(source.shard, source.handle, { start, end: last, keepOpen })
    },
    async bytes() {
      begin()
      if ('bytes' in source) return Buffer.from(source.bytes)
      try {
        return await allOf(source, info.size)
      } finally {
        await closeRead(source.handle)
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

const RANGE_NAMES: ReadonlySet<string> = new Set(['start', 'end', 'keepOpen'])

function checkRange(range: FileRange): FileRange {
  checkOptionsObject(range, 'stream')
  checkOptionNames(range, RANGE_NAMES, 'stream')
  for (const name of ['start', 'end'] as const) {
    const value = range[name]
    if (value === undefined) continue
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`${name} of a range must be a whole number of 0 or more, got ${kindOf(value)}`)
    }
  }
  const { start = 0, end, keepOpen } = range
  if (keepOpen !== undefined && typeof keepOpen !== 'boolean') {
    throw new TypeError(`keepOpen must be true or false, got ${kindOf(keepOpen)}`)
  }
  if (end !== undefined && end < start)
    throw new RangeError(`a range must not end before it starts, got ${start} to ${end}`)
  return range
}
