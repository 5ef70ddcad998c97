import type { SqlValue } from '../disk/codec.js'
import type { Disk } from '../disk/disk.js'
import { isPlainData } from '../disk/plain-data.js'
import { isKnownShape } from './known-shapes.js'

/*
 * What V8 takes on 64 bits, measured after a full collection: an estimate which is too high costs room, one that is too
 * low breaks the promise of the limit.
 */
const STRING_BYTES = 24
const NUMBER_BYTES = 16
const OBJECT_BYTES = 64
const ARRAY_BYTES = 48
const SLOT_BYTES = 8
/** The shape of an object that shares it with no other, frozen or not; and each name in it besides the text. */
const SHAPE_BYTES = 320
const SHAPE_NAME_BYTES = 128
/** An object with more names has no shape but a hash table, as all have for names that are numbers. */
const MOST_OF_SHAPE = 100
const HASHED_BYTES = 64
const INDEXED_BYTES = 480
const LEAST_HASHED = 1024
/** A Buffer with its ArrayBuffer and backing store. */
const BUFFER_BYTES = 288

/** How a value becomes that of a reader; every other number is the mode of a row, which is decoded for each of them. */
const SHARED = -1
const CLONED = -2

/** A value as memory keeps it. */
export interface KeptValue {
  readonly mode: number
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

export const NOTHING_KEPT: KeptValue = { mode: SHARED, value: undefined, bytes: 0 }

/**
 * Decodes what a row holds, and says how to keep it: what cannot be changed as it is, plain data deep-frozen where it
 * may be shared, or as a tree of which readers get copies, and everything else undecoded.
 */
export function readKept(disk: Disk, mode: number, data: SqlValue, keeping: Keeping): ReadValue {
  const value = disk.decode(mode, data)
  if (typeof value !== 'object' || value === null) return shared(value)
  if (isPlainData(value)) {
    if (keeping.frozen) return shared(deepFreeze(value))
    return { value: clonePlain(value), kept: { mode: CLONED, value, bytes: sizeOf(value) } }
  }
  // A decoded value may be the bytes themselves, or share them: the caller gets those, memory a copy that nobody has.
  const isKept = !Buffer.isBuffer(data) || data.byteLength <= keeping.most
  const own = Buffer.isBuffer(data) && isKept ? ownBytes(data) : data
  return { value, kept: { mode, value: isKept ? own : null, bytes: sizeOf(data) } }
}

function shared(value: unknown): ReadValue {
  return { value, kept: { mode: SHARED, value, bytes: sizeOf(value) } }
}

/** The value for one more reader. */
export function valueFor(disk: Disk, { mode, value }: Pick<KeptValue, 'mode' | 'value'>): unknown {
  if (mode === SHARED) return value
  if (mode === CLONED) return clonePlain(value as object)
  return disk.decode(mode, Buffer.isBuffer(value) ? ownBytes(value) : (value as SqlValue))
}

/**
 * A copy with an ArrayBuffer of its own, as SQLite gives them. `Buffer.from` takes small ones from the pool of the process:
 * one that is kept would hold 8 KiB of it, and a reader who looks at `bytes.buffer` would find what others have there.
 */
export function ownBytes(bytes: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.byteLength)
  bytes.copy(own)
  return own
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

/** A copy of plain data. Taking over the whole shape of an object at once is ten times as fast as `JSON.parse`. */
export function clonePlain(tree: object): object {
  if (Array.isArray(tree)) {
    const copy: unknown[] = tree.slice()
    for (let at = 0; at < copy.length; at++) {
      const part = copy[at]
      if (typeof part === 'object' && part !== null) copy[at] = clonePlain(part)
    }
    return copy
  }
  const copy: Record<string, unknown> = { ...tree }
  for (const name in copy) {
    const part = copy[name]
    if (typeof part === 'object' && part !== null) copy[name] = clonePlain(part)
  }
  return copy
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
  const names: string[] = []
  const entries = Object.entries(value)
  let largest = 0
  for (const [name, part] of entries) {
    bytes += sizeOf(part)
    if (INDEX.test(name)) largest = Math.max(largest, Number(name))
    else names.push(name)
  }
  const indexes = entries.length - names.length
  if (indexes > 0) bytes += INDEXED_BYTES + indexes * HASHED_BYTES
  // Small ones are an array with holes, of which V8 makes half as much again.
  if (indexes > 0 && largest < LEAST_HASHED) bytes += largest * SLOT_BYTES * 2
  return bytes + namesBytes(names)
}

const INDEX = /^\d{1,10}$/

/** Names that many objects have are one shape and one string each; those of a dictionary are its own. */
function namesBytes(names: readonly string[]): number {
  const isHashed = names.length > MOST_OF_SHAPE
  if (!isHashed && isKnownShape(names)) return names.length * SLOT_BYTES
  const each = isHashed ? HASHED_BYTES : SHAPE_NAME_BYTES
  return names.reduce((bytes, name) => bytes + each + textBytes(name), isHashed ? 0 : SHAPE_BYTES)
}

/** A string of V8 has a byte or two for each character: only ASCII is surely the former. */
export function textBytes(text: string): number {
  const isAscii = Buffer.byteLength(text) === text.length
  return STRING_BYTES + (isAscii ? text.length : 2 * text.length)
}
