import type { SqlValue } from '../disk/codec.js'
import type { Disk } from '../disk/disk.js'
import { isPlainData } from '../disk/plain-data.js'

/*
 * What V8 takes on 64 bits, measured after a full collection: an estimate which is too high costs room, one that is too
 * low breaks the promise of the limit.
 */
const STRING_BYTES = 24
const NUMBER_BYTES = 16
const OBJECT_BYTES = 64
const ARRAY_BYTES = 48
const SLOT_BYTES = 8
/** A Buffer with its ArrayBuffer and backing store. */
const BUFFER_BYTES = 288

/** A value as memory keeps it. */
export interface KeptValue {
  /** Absent: `value` is the value itself, which nobody can change. */
  readonly mode: number | undefined
  /** The value, or what the row holds, to be decoded for each reader. */
  readonly value: unknown
  readonly bytes: number
}

/** How values are kept. */
export interface Keeping {
  /** Whether plain data is shared. */
  readonly frozen: boolean
  /** Bytes of the largest value that is kept. */
  readonly most: number
}

/** A value for the caller who read it, and for those who will come. */
export interface ReadValue {
  readonly value: unknown
  readonly kept: KeptValue
}

/**
 * Decodes what a row holds, and says how to keep it: what cannot be changed as it is, plain data deep-frozen when it
 * may be shared, and everything else undecoded.
 */
export function readKept(disk: Disk, mode: number, data: SqlValue, keeping: Keeping): ReadValue {
  if (Buffer.isBuffer(data)) return readBytes(disk, mode, data, keeping)
  const value = disk.decode(mode, data)
  if (typeof value !== 'object' || value === null) return shared(value)
  if (keeping.frozen && isPlainData(value)) return shared(deepFreeze(value))
  return { value, kept: { mode, value: data, bytes: sizeOf(data) } }
}

function readBytes(disk: Disk, mode: number, data: Buffer, { frozen, most }: Keeping): ReadValue {
  // A decoded value may be the bytes themselves, or share them: the caller gets those, memory a copy that nobody has.
  const value = disk.decode(mode, data)
  if (typeof value !== 'object' || value === null) return shared(value)
  if (frozen && isPlainData(value)) return shared(deepFreeze(value))
  return { value, kept: { mode, value: data.byteLength > most ? null : Buffer.from(data), bytes: sizeOf(data) } }
}

function shared(value: unknown): ReadValue {
  return { value, kept: { mode: undefined, value, bytes: sizeOf(value) } }
}

/** The value for one more reader. */
export function valueFor(disk: Disk, { mode, value }: Pick<KeptValue, 'mode' | 'value'>): unknown {
  if (mode === undefined) return value
  return disk.decode(mode, Buffer.isBuffer(value) ? Buffer.from(value) : (value as SqlValue))
}

/** Freezes plain data, which is a tree: it neither shares parts nor has cycles. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const name in value) {
    const part = value[name]
    if (typeof part === 'object') deepFreeze(part)
  }
  return Object.freeze(value)
}

/** Bytes that a value takes, estimated from above. */
export function sizeOf(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return textBytes(value)
    case 'number':
      return NUMBER_BYTES
    case 'bigint':
      return NUMBER_BYTES + Math.ceil(value.toString(16).length / 2)
    case 'object':
      return value === null ? 0 : treeBytes(value)
    default:
      return 0
  }
}

function treeBytes(value: object): number {
  if (Buffer.isBuffer(value)) return BUFFER_BYTES + value.byteLength
  if (Array.isArray(value)) {
    let bytes = ARRAY_BYTES + value.length * SLOT_BYTES
    for (const part of value) bytes += sizeOf(part)
    return bytes
  }
  let bytes = OBJECT_BYTES
  for (const [name, part] of Object.entries(value)) bytes += SLOT_BYTES + nameBytes(name) + sizeOf(part)
  return bytes
}

/** Names that many objects have are shared by them; those of a dictionary are its own. */
function nameBytes(name: string): number {
  return name.length > 0 ? SLOT_BYTES : 0
}

/** A string of V8 has a byte or two for each character: only ASCII is surely the former. */
export function textBytes(text: string): number {
  const isAscii = Buffer.byteLength(text) === text.length
  return STRING_BYTES + (isAscii ? text.length : 2 * text.length)
}
