import type { Codec } from './codec.js'

/** Tells what a codec of this package is, whichever build, ESM or CommonJS, has made it: both share engines. */
const BUILT_IN = Symbol.for('fanout-cache.codec.0')

export function builtIn<C extends Codec>(codec: C, kind: string = codec.name): C {
  // Not enumerable: a copy of it that somebody has changed is another codec.
  return Object.defineProperty(codec, BUILT_IN, { value: kind })
}

/** Whether two values are one, or two codecs that write the same. */
export function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true
  const kind = kindOfCodec(one)
  return kind !== undefined && kind === kindOfCodec(other)
}

function kindOfCodec(codec: unknown): string | undefined {
  return (codec as { readonly [BUILT_IN]?: string } | null | undefined)?.[BUILT_IN]
}
