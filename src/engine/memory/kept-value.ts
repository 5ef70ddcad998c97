import type { SqlValue } from '../disk/codec.js'
import type { Disk } from '../disk/disk.js'
import { isPlainData } from '../disk/plain-data.js'
import { isKnownShape } from './known-shapes.js'

/*
 * Bytes that V8 uses on 64 bits, measured after a full collection. An estimate that is too high wastes room; one that
 * is too low breaks the limit.
 */
const STRING_BYTES = 24
const NUMBER_BYTES = 16
const OBJECT_BYTES = 64
const ARRAY_BYTES = 48
const SLOT_BYTES = 8
/** The shape of an object that no other object shares, and each of its names besides the text. */
const SHAPE_BYTES = 320
const SHAPE_NAME_BYTES = 128
/** An object with more names has a hash table instead of a shape, as every object has for numeric names. */
const MOST_OF_SHAPE = 100
const HASHED_BYTES = 64
const INDEXED_BYTES = 480
const LEAST_HASHED = 1024
/** A Buffer with its ArrayBuffer and backing store. */
const BUFFER_BYTES = 288

/** Marks values that all readers share. Other numbers are modes of rows, which are decoded for each reader. */
const SHARED = -1
const CLONED = -2

/** A value in the form in which memory keeps it. */
export interface KeptValue {
  readonly mode: number
  readonly value: unknown
  readonly bytes: number
}

/** How values are kept. */
export interface Keeping {
  /** Whether readers share plain data, deep-frozen. */
  readonly frozen: boolean
  /** Bytes of the largest value that is kept. */
  readonly most: number
}

/** A value that was read: for its reader, and in the form kept for later readers. */
export interface ReadValue {
  readonly value: unknown
  readonly kept: KeptValue
}

export const NOTHING_KEPT: KeptValue = { mode: SHARED, value: undefined, bytes: 0 }

/**
 * Decodes the value of a row and decides how to keep it. Immutable values are kept as they are; plain data is kept
 * deep-frozen if it may be shared, otherwise as a tree that is copied for each reader; all else is kept undecoded.
 */
export function readKept(disk: Disk, mode: number, data: SqlValue, keeping: Keeping): ReadValue {
  const value = disk.decode(mode, data)
  if (typeof value !== 'object' || value === null) return shared(value)
  if (isPlainData(value)) {
    if (keeping.frozen) return shared(deepFreeze(value))
    return { value: clonePlain(value), kept: { mode: CLONED, value, bytes: sizeOf(value) } }
  }
  // A decoded value may be the bytes or share them. The caller gets these, and memory keeps a copy.
  const isKept = !Buffer.isBuffer(data) || data.byteLength <= keeping.most
  const own = Buffer.isBuffer(data) && isKept ? ownBytes(data) : data
  return { value, kept: { mode, value: isKept ? own : null, bytes: sizeOf(data) } }
}

function shared(value: unknown): ReadValue {
  return { value, kept: { mode: SHARED, value, bytes: sizeOf(value) } }
}

/** The value for a further reader. */
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

/** Freezes plain data deeply. It is a tree, without shared parts and cycles. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const name in value) {
    const part = value[name]
    if (typeof part === 'object') deepFreeze(part)
  }
  return Object.freeze(value)
}

/** Copies plain data. Copying the whole shape of an object at once is ten times as fast as `JSON.parse`. */
function clonePlain(tree: object): object {
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

/** An upper estimate of the bytes of a value. */
function sizeOf(value: unknown): number {
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
  // Small indexes are stored in an array with holes, which V8 allocates half as large again.
  if (indexes > 0 && largest < LEAST_HASHED) bytes += largest * SLOT_BYTES * 2
  return bytes + namesBytes(names)
}

const INDEX = /^\d{1,10}$/

/**
 * Bytes of the names of an object. Frequent names share one shape and one string each; those of a dictionary do not.
 */
function namesBytes(names: readonly string[]): number {
  const isHashed = names.length > MOST_OF_SHAPE
  if (!isHashed && isKnownShape(names)) return names.length * SLOT_BYTES
  const each = isHashed ? HASHED_BYTES : SHAPE_NAME_BYTES
  return names.reduce((bytes, name) => bytes + each + textBytes(name), isHashed ? 0 : SHAPE_BYTES)
}

/** Bytes of a string. V8 uses one or two bytes for each character; only ASCII certainly needs one. */
export function textBytes(text: string): number {
  const isAscii = Buffer.byteLength(text) === text.length
  return STRING_BYTES + (isAscii ? text.length : 2 * text.length)
}
