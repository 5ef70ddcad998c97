import { types } from 'node:util'
import { Deserializer, serialize } from 'node:v8'
import { DecodeError } from '../errors.js'
import { describeKind, formatPath, notStorable, type Path } from './describe.js'
import { assertHarmless } from './v8-format.js'

type ViewConstructor = new (buffer: ArrayBuffer) => ArrayBufferView

/** The kinds of views, at the numbers that `v8.serialize` gives them. */
export const VIEWS: readonly (ViewConstructor | undefined)[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  DataView,
  undefined,
  BigInt64Array,
  BigUint64Array,
  (globalThis as { Float16Array?: ViewConstructor }).Float16Array,
]
const BUFFER = 10

/**
 * Encodes a value with `v8.serialize`.
 *
 * @throws {TypeError} that names the part that `structuredClone` does not support
 */
export function cloneToBytes(value: unknown): Buffer {
  if (isOpaque(value)) throw notStorable(value, { where: 'value' })
  try {
    const bytes = serialize(value)
    // Values that could not be read back are refused, above all sparse arrays with millions of places.
    assertHarmless(bytes)
    return bytes
  } catch (error) {
    throw explain(value, error)
  }
}

/**
 * Decodes a value. Checks the bytes before V8 does.
 *
 * @throws {DecodeError} for bytes that `cloneToBytes` never writes
 */
export function cloneFromBytes(bytes: Buffer): unknown {
  assertHarmless(bytes)
  try {
    const reader = new CopyingDeserializer(bytes)
    reader.readHeader()
    return reader.readValue()
  } catch (cause) {
    throw new DecodeError('expected a structured clone, got bytes that V8 cannot read', { cause })
  }
}

/** A deserializer that gives typed arrays their own memory, not views of the input or of Node's pool. */
class CopyingDeserializer extends Deserializer {
  /** Called by V8 for each view. */
  _readHostObject(): unknown {
    const kind = this.readUint32()
    const length = this.readUint32()
    const copy = new Uint8Array(length)
    copy.set(this.readRawBytes(length))
    if (kind === BUFFER) return Buffer.from(copy.buffer)
    const View = VIEWS[kind]
    if (View === undefined) throw new DecodeError(`a structured clone holds a view of the unknown kind ${kind}`)
    return new View(copy.buffer)
  }
}

/**
 * Whether a value, such as a `Response`, a `URL` or `Headers`, keeps all that it has inside: V8 would write it as an empty
 * object.
 */
export function isOpaque(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !(Symbol.toStringTag in value)) return false
  if (types.isMap(value) || types.isSet(value) || types.isAnyArrayBuffer(value) || ArrayBuffer.isView(value))
    return false
  return !types.isBoxedPrimitive(value) && Object.keys(value).length === 0
}

function explain(value: unknown, error: unknown): unknown {
  if (error instanceof DecodeError) return new TypeError(`value cannot be stored: ${error.message}`, { cause: error })
  if (error instanceof RangeError) return new TypeError('value is nested too deeply to be stored', { cause: error })
  const culprit = findCulprit(value)
  if (culprit !== undefined)
    return notStorable(culprit.value, { where: formatPath('value', culprit.path), cause: error })
  const detail = error instanceof Error ? error.message : describeKind(error)
  return new TypeError(`value cannot be stored: ${detail}`, { cause: error })
}

/** Finds the first part, breadth first, that cannot be cloned. It may be slow, since an error follows. */
function findCulprit(root: unknown): { value: unknown; path: Path } | undefined {
  const seen = new Set<unknown>()
  const queue: { value: unknown; path: Path }[] = [{ value: root, path: [] }]
  for (const part of queue) {
    if (seen.has(part.value)) continue
    seen.add(part.value)
    const children = childrenOf(part.value, part.path)
    if (children.length === 0 && !isClonable(part.value)) return part
    queue.push(...children)
  }
  return undefined
}

function childrenOf(value: unknown, path: Path): { value: unknown; path: Path }[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return []
  if (types.isMap(value))
    return [...value.entries()].flat().map((part, at) => ({ value: part, path: [...path, at >> 1] }))
  if (types.isSet(value)) return [...value].map((part, at) => ({ value: part, path: [...path, at] }))
  if (Array.isArray(value)) return value.map((part, at) => ({ value: part, path: [...path, at] }))
  return Object.entries(value).map(([name, part]) => ({ value: part, path: [...path, name] }))
}

function isClonable(value: unknown): boolean {
  try {
    serialize(value)
    return true
  } catch {
    // V8 refuses this part, for whatever reason.
    return false
  }
}
