/** The option `memory` after it was checked. */
export interface ResolvedMemory {
  readonly maxItems: number
  readonly maxBytes: number
  /** Seconds. */
  readonly ttl: number
  /** Whether `ttl` counts from the last read on. */
  readonly sliding: boolean
  readonly mode: 'copy' | 'frozen'
  /** Names of what was given, to compare the options of two handles on one directory. */
  readonly given: readonly MemoryOption[]
}

export const MEMORY_OPTIONS = ['maxItems', 'maxBytes', 'ttl', 'sliding', 'mode'] as const
export type MemoryOption = (typeof MEMORY_OPTIONS)[number]
export const MEMORY_MODES = ['copy', 'frozen'] as const
export const DEFAULT_MEMORY_BYTES: number = 32 * 2 ** 20
/** With less a memory would hold nothing: an entry may take a sixteenth of it. */
export const LEAST_MEMORY_BYTES: number = 64 * 2 ** 10
