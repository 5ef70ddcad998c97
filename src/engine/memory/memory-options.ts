/** The checked option `memory`. */
export interface ResolvedMemory {
  readonly maxItems: number
  readonly maxBytes: number
  /** Seconds. */
  readonly ttl: number
  /** Whether `ttl` starts anew with every read. */
  readonly sliding: boolean
  readonly mode: 'copy' | 'frozen'
  /** Names of the given options, to compare two handles on one directory. */
  readonly given: readonly MemoryOption[]
}

export const MEMORY_OPTIONS = ['maxItems', 'maxBytes', 'ttl', 'sliding', 'mode'] as const
export type MemoryOption = (typeof MEMORY_OPTIONS)[number]
export const MEMORY_MODES = ['copy', 'frozen'] as const
export const DEFAULT_MEMORY_BYTES: number = 32 * 2 ** 20
/** With less the memory would hold nothing, since an entry may take a sixteenth of it. */
export const LEAST_MEMORY_BYTES: number = 64 * 2 ** 10
