import type { StoredSettings } from '../database/settings.js'
import type { Codec } from '../disk/codec.js'
import type { JsonCodec } from '../disk/json-codec.js'

/** What a new directory is to store: Python's JSONDisk goes by it, and by level 1 where nothing is stored. */
export function compressionOf(codec: Codec): { readonly compressLevel?: number } {
  return isJsonCodec(codec) && codec.compressLevel !== 1 ? { compressLevel: codec.compressLevel } : {}
}

/** Why a codec would find none of the keys: they are compared as compressed bytes. */
export function otherCompression(
  codec: Codec,
  settings: StoredSettings | undefined,
  directory: string,
): RangeError | undefined {
  const stored = settings?.compressLevel
  if (!isJsonCodec(codec) || stored === undefined || stored === codec.compressLevel) return undefined
  return new RangeError(
    `the keys in ${directory} have disk_compress_level ${stored}: open it with codec: jsonCodec.level(${stored})`,
  )
}

function isJsonCodec(codec: Codec): codec is JsonCodec {
  return codec.name === 'json' && 'compressLevel' in codec
}
