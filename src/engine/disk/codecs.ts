import type { Codec } from './codec.js'
import { jsonCodec } from './json-codec.js'
import { pickleCodec } from './pickle-codec.js'
import { structuredCodec } from './structured-codec.js'

/** The codecs by name, as used on the command line and in exports. */
export const CODECS: Readonly<Record<string, Codec>> = {
  structured: structuredCodec,
  json: jsonCodec,
  pickle: pickleCodec,
}
