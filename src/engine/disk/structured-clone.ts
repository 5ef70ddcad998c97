import { types } from 'node:util'
import { Deserializer, serialize } from 'node:v8'
import { DecodeError } from '../errors.js'
import { describeKind, formatPath, notStorable, type Path } from './describe.js'
import { assertHarmless, assertHarmlessAndFindEmpty } from './v8-format.js'

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
/** Its `serialize` has a format of its own, which V8 does not read. */
const NOT_IN_BUN = 'Bun has no structured clones of V8, which keep what is no plain data'

/**
 * Encodes a value with `v8.serialize`.
 *
 * @throws {TypeError} that names the part that `structuredClone` does not support
 */
export function cloneToBytes(value: unknown): Buffer {
  if (process.versions['bun']) throw new TypeError(`value cannot be stored: ${NOT_IN_BUN}`)
  let hasEmpty: boolean
  let bytes: Buffer
  try {
    bytes = serialize(value)
    // Values that could not be read back are refused, above all sparse arrays with millions of places.
    hasEmpty = assertHarmlessAndFindEmpty(bytes)
  } catch (error) {
    throw explain(value, error)
  }
  const opaque = hasEmpty && containsOpaque(value) ? findPart(value, isOpaque) : undefined
  if (opaque) throw notStorable(opaque.value, { where: formatPath('value', opaque.path) })
  return bytes
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
    const why = process.versions['bun'] ? NOT_IN_BUN : 'expected a structured clone, got bytes that V8 cannot read'
    throw new DecodeError(why, { cause })
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
function isOpaque(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !(Symbol.toStringTag in value)) return false
  if (types.isMap(value) || types.isSet(value) || types.isAnyArrayBuffer(value) || ArrayBuffer.isView(value))
    return false
  return !types.isBoxedPrimitive(value) && Object.keys(value).length === 0
}

/** Whether a value is such an object or has one as a part. Empty objects are common, so no places are noted here. */
function containsOpaque(root: unknown): boolean {
  const seen = new Set<unknown>()
  const rest: unknown[] = [root]
  const add = (part: unknown): void => {
    if (typeof part === 'object' && part !== null) rest.push(part)
  }
  for (let value = rest.pop(); value !== undefined; value = rest.pop()) {
    if (seen.has(value)) continue
    seen.add(value)
    if (isOpaque(value)) return true
    eachPart(value, add)
  }
  return false
}

function eachPart(value: unknown, visit: (part: unknown) => void): void {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return
  if (types.isMap(value)) {
    for (const [key, part] of value) {
      visit(key)
      visit(part)
    }
  } else if (types.isSet(value) || Array.isArray(value)) value.forEach(visit)
  else for (const name of Object.keys(value)) visit((value as Record<string, unknown>)[name])
}

function explain(value: unknown, error: unknown): unknown {
  if (error instanceof DecodeError) return new TypeError(`value cannot be stored: ${error.message}`, { cause: error })
  if (error instanceof RangeError) return new TypeError('value is nested too deeply to be stored', { cause: error })
  const culprit = findPart(value, (part, children) => children === 0 && !isClonable(part))
  if (culprit !== undefined)
    return notStorable(culprit.value, { where: formatPath('value', culprit.path), cause: error })
  const detail = error instanceof Error ? error.message : describeKind(error)
  return new TypeError(`value cannot be stored: ${detail}`, { cause: error })
}

interface Part {
  readonly value: unknown
  readonly path: Path
}

/** Finds the first part of a value, breadth first, that is wanted. */
function findPart(root: unknown, isWanted: (value: unknown, children: number) => boolean): Part | undefined {
  const seen = new Set<unknown>()
  const queue: Part[] = [{ value: root, path: [] }]
  for (const part of queue) {
    if (seen.has(part.value)) continue
    seen.add(part.value)
    const children = childrenOf(part.value, part.path)
    if (isWanted(part.value, children.length)) return part
    for (const child of children) queue.push(child)
  }
  return undefined
}

function childrenOf(value: unknown, path: Path): Part[] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return []
  if (types.isMap(value))
    return [...value.entries()].flat().map((part, at) => ({ value: part, path: [...path, at >> 1] }))
  if (types.isSet(value)) return [...value].map((part, at) => ({ value: part, path: [...path, at] }))
  // Holes are no parts.
  if (Array.isArray(value)) return value.flatMap((part, at) => [{ value: part, path: [...path, at] }])
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
