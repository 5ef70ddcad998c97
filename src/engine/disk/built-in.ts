import type { Codec } from './codec.js'

/** Marks the codecs of this package, so that the ESM and the CommonJS build, which share engines, recognise them. */
const BUILT_IN = Symbol.for('fanout-cache.codec.0')

export function builtIn<C extends Codec>(codec: C, kind: string = codec.name): C {
  // Not enumerable, so that a modified copy counts as another codec.
  return Object.defineProperty(codec, BUILT_IN, { value: kind })
}

/** Whether two values are identical, or codecs of this package that write the same. */
export function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true
  const kind = kindOfCodec(one)
  return kind !== undefined && kind === kindOfCodec(other)
}

/** What a codec of this package writes: equal for codecs that write the same. `undefined` for others. */
export function kindOfCodec(codec: unknown): string | undefined {
  return (codec as { readonly [BUILT_IN]?: string } | null | undefined)?.[BUILT_IN]
}
