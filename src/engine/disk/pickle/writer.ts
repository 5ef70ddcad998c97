import { types } from 'node:util'
import { formatPath, hasProperties, isPlainObject, notStorable } from '../describe.js'
import { OP } from './opcodes.js'
import { PickleOutput } from './output.js'
import { writeBatches, writeDictBatches, writeScalar, writeTuple } from './primitives.js'

const MAX_DEPTH = 1000

/**
 * Writes a pickle of protocol 5 that Python loads as: array → list, plain object → dict, Map → dict, Set → set,
 * Uint8Array → bytes, safe integers and bigints → int, other numbers → float. An object that occurs twice is written
 * once, so that cycles are possible. Undefined properties are left out, as in JSON.
 *
 * @throws {TypeError} that names what has no counterpart in Python
 */
export function writePickle(value: unknown): Buffer {
  const out = new PickleOutput(Number.POSITIVE_INFINITY)
  if (!writeScalar(out, value)) new ValueWriter(out, findShared(value)).write(value)
  return out.finish()
}

class ValueWriter {
  readonly #out: PickleOutput
  readonly #shared: ReadonlySet<object>
  readonly #memo = new Map<object, number>()
  readonly #path: (string | number)[] = []

  constructor(out: PickleOutput, shared: ReadonlySet<object>) {
    this.#out = out
    this.#shared = shared
  }

  write(value: unknown): void {
    if (writeScalar(this.#out, value)) return
    if (typeof value !== 'object' || value === null) throw this.#refuse(value)
    if (this.#writeReference(value)) return
    if (Array.isArray(value) && !hasProperties(value)) this.#writeList(value)
    else if (types.isMap(value)) this.#writeMap(value)
    else if (types.isSet(value)) this.#writeSet(value)
    else if (isPlainObject(value)) this.#writeObject(value)
    else throw this.#refuse(value)
  }

  #writeReference(value: object): boolean {
    const at = this.#memo.get(value)
    if (at === undefined) return false
    if (at <= 0xff) this.#out.opUInt8(OP.binget, at)
    else this.#out.opUInt32(OP.longBinget, at)
    return true
  }

  /** Starts a container. It is registered before its items are written, since they may refer to it. */
  #start(container: object, empty: number): void {
    this.#out.op(empty)
    if (!this.#shared.has(container)) return
    this.#out.op(OP.memoize)
    this.#memo.set(container, this.#memo.size)
  }

  #writeList(list: readonly unknown[]): void {
    this.#start(list, OP.emptyList)
    writeBatches(this.#out, list.length, OP.append, OP.appends, at => this.#writePart(at, list[at]))
  }

  #writeObject(object: Record<string, unknown>): void {
    this.#start(object, OP.emptyDict)
    const entries = Object.entries(object).filter(([, part]) => part !== undefined)
    writeDictBatches(this.#out, entries.length, at => {
      const [name, part] = entries[at] as [string, unknown]
      this.#out.text(name)
      this.#writePart(name, part)
    })
  }

  #writeMap(map: ReadonlyMap<unknown, unknown>): void {
    this.#start(map, OP.emptyDict)
    const entries = [...map]
    writeDictBatches(this.#out, entries.length, at => {
      const [key, part] = entries[at] as [unknown, unknown]
      this.#writeHashedPart(at, key)
      this.#writePart(at, part)
    })
  }

  #writeSet(set: ReadonlySet<unknown>): void {
    this.#start(set, OP.emptySet)
    const items = [...set]
    writeBatches(this.#out, items.length, undefined, OP.additems, at => this.#writeHashedPart(at, items[at]))
  }

  #writePart(step: string | number, part: unknown): void {
    this.#enter(step)
    this.write(part)
    this.#path.pop()
  }

  #writeHashedPart(step: string | number, part: unknown): void {
    this.#enter(step)
    this.#writeHashed(part)
    this.#path.pop()
  }

  #enter(step: string | number): void {
    this.#path.push(step)
    if (this.#path.length > MAX_DEPTH) throw new TypeError('value is nested too deeply to be stored')
  }

  /** Keys of dicts and items of sets must be immutable in Python: arrays become tuples, Sets frozensets. */
  #writeHashed(value: unknown): void {
    if (writeScalar(this.#out, value)) return
    if (Array.isArray(value)) {
      writeTuple(this.#out, value.length, at => this.#writeHashedPart(at, value[at]))
    } else if (types.isSet(value)) {
      this.#out.op(OP.mark)
      let at = 0
      for (const item of value) this.#writeHashedPart(at++, item)
      this.#out.op(OP.frozenset)
    } else throw this.#refuse(value)
  }

  #refuse(value: unknown): TypeError {
    return notStorable(value, { where: formatPath('value', this.#path), expected: 'data that Python can have' })
  }
}

/** Finds the containers that occur more than once. */
function findShared(root: unknown): Set<object> {
  const seen = new Set<object>()
  const shared = new Set<object>()
  const waiting: unknown[] = [root]
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) continue
    if (seen.has(value)) {
      shared.add(value)
      continue
    }
    seen.add(value)
    if (types.isMap(value)) for (const entry of value) waiting.push(...entry)
    else for (const part of types.isSet(value) ? value : Object.values(value)) waiting.push(part)
  }
  return shared
}
