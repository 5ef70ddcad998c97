import type { StoredSettings } from '../database/settings.js'
import type { Codec } from '../disk/codec.js'
import type { JsonCodec } from '../disk/json-codec.js'

/** The setting of a new directory. Python's JSONDisk uses the stored level, or 1 when none is stored. */
export function compressionOf(codec: Codec): { readonly compressLevel?: number } {
  return isJsonCodec(codec) && codec.compressLevel !== 1 ? { compressLevel: codec.compressLevel } : {}
}

/** Explains why a codec would find no key: keys are compared as compressed bytes. */
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
